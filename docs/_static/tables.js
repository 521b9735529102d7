/* Let code in tables and on phones, signatures and types break behind punctuation, rather than
   inside words, and mark tables of text, whose cells tables.css puts below one another on a
   phone, and cells of numbers. */
const BREAKS = /(?<=.[.,(=[{/|])(?=[^\s\d.,)=\]}/|])/;
const BREAKS_OF_NAMES = /(?<=\w\.)(?=\w)/;

/* Let the texts within an element break behind punctuation, and between each other. */
function breakTexts(element, breaks = BREAKS) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  texts.forEach((text, i) => {
    const next = texts[i + 1]?.textContent ?? ")";
    if (/[.,([|]$/.test(text.textContent) && /^[^\s)\].,]/.test(next)) {
      text.after(document.createElement("wbr"));
    }
    const parts = text.textContent.split(breaks);
    if (parts.length < 2) return;
    text.replaceWith(
      ...parts.flatMap((part, k) => (k ? [document.createElement("wbr"), part] : [part])),
    );
  });
}

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.docutils")) {
    const heads = [...table.querySelectorAll("thead th")].map((th) => th.textContent.trim());
    const cells = [...table.querySelectorAll("tbody td")];
    for (const td of cells) {
      const text = td.textContent.trim();
      if (/^([-−]?\d.{0,12}|-?)$/.test(text)) td.classList.add("number");
      // a mean and its deviation stay on one line
      if (/^[\d.%]+ ± [\d.%]+$/.test(text)) td.style.whiteSpace = "nowrap";
    }
    const numbers = cells.filter((td) => td.classList.contains("number"));
    const long = cells.filter((td) => td.textContent.length > 30);
    if (numbers.length > cells.length / 2) {
      table.classList.add("of-numbers");
    } else if (heads.length > 2 && long.length >= cells.length / 6) {
      table.classList.add("of-text");
      for (const td of cells) {
        td.dataset.head = heads[td.cellIndex] ?? "";
        td.classList.toggle("empty", !td.textContent.trim());
      }
    }
  }
  for (const code of document.querySelectorAll("article code.literal .pre")) {
    if (code.children.length) continue;
    breakTexts(code);
  }
  for (const signature of document.querySelectorAll("article dt.sig")) breakTexts(signature);
  for (const type of document.querySelectorAll("article .classifier")) {
    if (/\S{25}/.test(type.textContent)) breakTexts(type, BREAKS_OF_NAMES);
  }
});
