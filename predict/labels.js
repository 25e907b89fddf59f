"use strict";
const boxes = document.querySelectorAll("input[type=checkbox]");
const search = document.querySelector("input[type=search]");
const shown = document.getElementById("shown");
function update() {
  const labels = new Set([...boxes].filter(box => box.checked).map(box => box.value));
  const words = search.value.trim().toLowerCase();
  let sentences = 0;
  for (const article of document.querySelectorAll("article")) {
    let found = 0;
    for (const sentence of article.querySelectorAll(".s")) {
      const hit = labels.has(sentence.dataset.label) && sentence.textContent.toLowerCase().includes(words);
      sentence.classList.toggle("dim", !hit);
      found += hit;
    }
    article.classList.toggle("gone", found === 0);
    sentences += found;
  }
  shown.textContent = sentences.toLocaleString("en") + " sentences";
}
boxes.forEach(box => box.addEventListener("change", update));
search.addEventListener("input", update);
update();
