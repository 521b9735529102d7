/* Let code in tables and on phones break behind punctuation, rather than inside words, and mark
   tables of text, whose cells tables.css puts below one another on a phone. */
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.docutils")) {
    const heads = [...table.querySelectorAll("thead th")].map((th) => th.textContent.trim());
    const cells = [...table.querySelectorAll("tbody td")];
    const long = cells.filter((td) => td.textContent.length > 30);
    if (heads.length < 3 || long.length < cells.length / 6) continue;
    table.classList.add("of-text");
    for (const td of cells) td.dataset.head = heads[td.cellIndex] ?? "";
  }
  // a mean and its deviation stay on one line
  for (const td of document.querySelectorAll("table.docutils td")) {
    if (/^[\d.%]+ ± [\d.%]+$/.test(td.textContent.trim())) td.style.whiteSpace = "nowrap";
  }
  for (const code of document.querySelectorAll("article code.literal .pre")) {
    if (code.children.length) continue;
    const parts = code.textContent.split(/(?<=.[.,(=[{/|])(?=[^\s\d.,)=\]}/|])/);
    code.replaceChildren(
      ...parts.flatMap((part, i) =>
        i ? [document.createElement("wbr"), part] : [part],
      ),
    );
  }
});
