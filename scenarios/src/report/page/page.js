// Comfort only: the page is complete without it. It reads and changes the document, nothing else.
"use strict";

for (const controls of document.querySelectorAll(".script")) controls.hidden = false;

// A link into something closed opens it.
function reveal() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();

// Filters hide what does not contain the text.
for (const input of document.querySelectorAll("[data-filter]")) {
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const item of document.querySelectorAll(input.dataset.filter)) {
      const found = item.textContent.toLowerCase().includes(wanted);
      item.classList.toggle("gone", !found);
      const fold = item.closest(".fold");
      if (found && wanted && fold) fold.open = true;
    }
  });
}

// Zoom widens the canvas around the moment under the pointer, or in the middle.
const MOST = 200;
function zoom(timeline, factor, x = timeline.clientWidth / 2) {
  const canvas = timeline.querySelector(".canvas");
  const before = Number(canvas.style.getPropertyValue("--zoom") || 1);
  const after = factor === 0 ? 1 : Math.min(MOST, Math.max(1, before * factor));
  const place = (timeline.scrollLeft + x) / canvas.offsetWidth;
  canvas.style.setProperty("--zoom", after);
  canvas.classList.toggle("zoomed", after >= 4);
  timeline.scrollLeft = place * canvas.offsetWidth - x;
}
for (const timeline of document.querySelectorAll(".timeline")) {
  const factors = { in: 1.6, out: 1 / 1.6, fit: 0 };
  for (const button of timeline.previousElementSibling.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", () => zoom(timeline, factors[button.dataset.zoom]));
  timeline.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(timeline, event.deltaY < 0 ? 1.25 : 0.8, event.clientX - timeline.getBoundingClientRect().left);
  }, { passive: false });
}

// A line under the pointer says which moment it is at.
function moment(millis) {
  const pad = (number, digits) => String(Math.floor(number)).padStart(digits, "0");
  const hours = Math.floor(millis / 3_600_000);
  const minutes = (millis / 60_000) % 60;
  const head = hours ? `${hours}:${pad(minutes, 2)}` : pad(minutes, 1);
  return `${head}:${pad((millis / 1000) % 60, 2)}.${pad(millis % 1000, 3)}`;
}
for (const canvas of document.querySelectorAll(".canvas")) {
  const track = canvas.querySelector(".lines .track");
  const cursor = document.createElement("i");
  const label = document.createElement("b");
  cursor.className = "cursor";
  cursor.append(label);
  canvas.addEventListener("pointermove", (event) => {
    const { left, width } = track.getBoundingClientRect();
    const share = (event.clientX - left) / width;
    const names = canvas.parentElement.getBoundingClientRect().left + (left - canvas.getBoundingClientRect().left);
    if (share > 1 || event.clientX < names) return cursor.remove();
    cursor.style.left = `${share * 100}%`;
    cursor.classList.toggle("left", share > 0.9);
    label.textContent = moment(share * canvas.dataset.end);
    track.append(cursor);
  });
  canvas.addEventListener("pointerleave", () => cursor.remove());
}

// Tooltips at once, where the browser would let one wait. The title moves aside meanwhile, lest both be shown.
const tooltip = document.createElement("div");
tooltip.className = "tooltip";
tooltip.hidden = true;
document.body.append(tooltip);
let shown = null;
function leave() {
  if (!shown) return;
  shown.title = tooltip.textContent;
  shown = null;
  tooltip.hidden = true;
}
document.addEventListener("pointerover", (event) => {
  const item = event.target.closest(".timeline [title]");
  if (item === shown || (shown && shown.contains(event.target))) return;
  leave();
  if (!item || event.pointerType === "touch") return;
  shown = item;
  tooltip.textContent = item.title;
  item.removeAttribute("title");
  tooltip.hidden = false;
  follow(event);
});
document.addEventListener("pointermove", follow);
document.addEventListener("scroll", leave, true);
function follow(event) {
  if (!shown) return;
  const { offsetWidth: width, offsetHeight: height } = tooltip;
  const left = Math.min(event.clientX + 14, innerWidth - width - 8);
  const below = event.clientY + 18 + height < innerHeight;
  tooltip.style.left = `${Math.max(8, left)}px`;
  tooltip.style.top = `${below ? event.clientY + 18 : event.clientY - height - 12}px`;
}
