/* Let code in tables break behind punctuation, rather than inside words. */
document.addEventListener("DOMContentLoaded", () => {
  for (const code of document.querySelectorAll("table.docutils td code .pre")) {
    if (code.children.length) continue;
    const parts = code.textContent.split(/(?<=[.,(=[{/|])(?=[^\s\d.,)=\]}/|])/);
    code.replaceChildren(
      ...parts.flatMap((part, i) =>
        i ? [document.createElement("wbr"), part] : [part],
      ),
    );
  }
});
