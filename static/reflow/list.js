// The invoice list: choosing rows, the page or all that match, the bar that says what comes of it, and the columns.
"use strict";

const list = () => document.querySelector("[data-list]");
const bar = (name) => list().querySelector(`[data-bar-${name}]`);
const boxes = () => all("[data-select]", list());
let allThatMatch = null; // what the server counted, while all that match are chosen
let lastTicked = null;

/* What is chosen: {count, more, sums: [{currency, amount}], going: sums of what can be sent, approve: {reason: count}, send} */
function chosenHere() {
  const reasons = { approve: {}, send: {} }, ticked = boxes().filter((box) => box.checked);
  for (const { dataset } of ticked) {
    for (const [what, counted] of Object.entries(reasons)) counted[dataset[what]] = (counted[dataset[what]] ?? 0) + 1;
  }
  return {
    count: ticked.length,
    sums: sumsOf(ticked),
    going: sumsOf(ticked.filter((box) => !box.dataset.send)),
    ...reasons,
  };
}

function sumsOf(some) {
  const sums = new Map();
  for (const { dataset } of some) {
    sums.set(dataset.currency, (sums.get(dataset.currency) ?? 0n) + BigInt(dataset.total.replace(".", "")));
  }
  return Array.from(sums, ([currency, pennies]) => ({ currency, amount: decimalString(pennies) }));
}

const inWords = (sums) => sums.map(inMoney).join(" · ");

function inMoney({ currency, amount }) {
  return new Intl.NumberFormat(list().dataset.locale, { style: "currency", currency }).format(amount);
}

/** How many it can be done with, and why the others are left out: "3 already sent, 1 void". */
function outcome(chosen, what) {
  if (!chosen[what]) return manyOf(chosen, what);
  const { "": can = 0, ...others } = chosen[what];
  const left = Object.entries(others).map(([reason, count]) => `${count} ${reason}`).join(", ");
  return { can, left: left && `Left out: ${left}.` };
}

/** So many that the server has not looked at each: sending checks them first, approving takes fewer. */
function manyOf(chosen, what) {
  const narrow = "Narrow it with a search or a filter.", most = what === "send" ? chosen.count : list().dataset.atOnce;
  if (what === "approve") return { can: 0, said: `Approve takes ${most} at a time. ${narrow}` };
  if (chosen.more) return { can: 0, said: `${most.toLocaleString(list().dataset.locale)} can be sent together. ${narrow}` };
  return { can: chosen.count, said: "Each is checked before any of them is sent." };
}

/** What the bar says of it; what Send will do is always said, with its sum. */
function said(chosen, what, { can, left, said: already }) {
  if (already) return already;
  if (what === "approve") return left && `Approve: ${can || "none"} of them. ${left}`;
  return `${can ? `${can} can be sent, ${inWords(chosen.going)}` : "None can be sent"}. ${left}`.trim();
}

function showOutcome(chosen, what) {
  const button = list().querySelector(`[data-do="${what}"]`), note = list().querySelector(`[data-why="${what}"]`);
  if (!button) return;
  const blocked = what === "send" && list().dataset.blocked;
  const found = blocked ? { can: 0 } : outcome(chosen, what);
  button.disabled = !found.can;
  note.textContent = chosen.count ? blocked || said(chosen, what, found) : "";
  if (what === "approve") {
    button.dataset.ask = `Approve ${found.can === 1 ? "1 invoice" : `${found.can} invoices`}?`;
    button.dataset.askText = found.left ?? "";
  }
}

function showBar() {
  if (!list()) return;
  const chosen = allThatMatch ?? chosenHere(), ticked = boxes().filter((box) => box.checked).length;
  const page = list().querySelector("[data-select-page]");
  page.checked = ticked > 0 && ticked === boxes().length;
  page.indeterminate = ticked > 0 && !page.checked;
  for (const box of boxes()) box.closest("[data-row]").classList.toggle("chosen", box.checked);
  list().querySelector("[data-bar]").classList.toggle("on", chosen.count > 0);
  const count = `${chosen.more ? "More than " : ""}${chosen.count.toLocaleString(list().dataset.locale)} selected`;
  bar("count").textContent = allThatMatch ? `${count}, all that match` : count;
  bar("sums").textContent = inWords(chosen.sums);
  showOutcome(chosen, "send");
  showOutcome(chosen, "approve");
  showMore(page.checked);
}

/** What else can be chosen: the rest of the page, then all that match where there are more pages. */
function showMore(wholePage) {
  const button = list().querySelector("[data-select-more]"), pages = document.querySelector(".pager");
  button.hidden = Boolean(allThatMatch) || (wholePage && !pages);
  button.textContent = wholePage ? "Select all that match" : `Select all ${boxes().length} on this page`;
}

function say() {
  const why = all("[data-why]", list()).map((note) => note.textContent).filter(Boolean).join(" ");
  document.getElementById("live").textContent = [bar("count").textContent, bar("sums").textContent, why].filter(Boolean).join(". ");
}

/* Choosing ------------------------------------------------------------------------------------------------- */
function tick(box, shift) {
  allThatMatch = null;
  const rows = boxes();
  if (shift && rows.includes(lastTicked)) {
    const [from, to] = [rows.indexOf(lastTicked), rows.indexOf(box)].sort((a, b) => a - b);
    for (const row of rows.slice(from, to + 1)) row.checked = box.checked;
  }
  lastTicked = box;
  changed();
}

function tickPage(on) {
  allThatMatch = null;
  for (const box of boxes()) box.checked = on;
  changed();
}

async function tickAll() {
  try {
    const answer = await fetch(list().dataset.chosen, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const said = await answer.json();
    tickPage(true);
    allThatMatch = said;
    changed();
  } catch {
    document.getElementById("unanswered").hidden = false;
  }
}

function changed() {
  showBar();
  say();
}

/** All that match are approved by their ids, as counted; a file goes by the filters, and so do a send and a preview, whose
    pages show what was chosen before anything happens. */
function addTheOthers(form, button) {
  all("input[data-added]", form).forEach((input) => input.remove());
  if (!allThatMatch) return;
  const shown = new Set(boxes().map((box) => box.value));
  const others = allThatMatch.ids.map(String).filter((id) => !shown.has(id)).map((id) => ["ids", id]);
  for (const [name, value] of button?.dataset.do === "approve" ? others : [["all", "1"]]) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    input.dataset.added = "";
    form.append(input);
  }
}

/* Columns: up and down a place; they are kept with Apply ------------------------------------------------------ */
function moveColumn(button) {
  const row = button.closest("li"), up = button.dataset.move === "up";
  const other = up ? row.previousElementSibling : row.nextElementSibling;
  if (other && up) other.before(row);
  else if (other) other.after(row);
  button.focus();
  const rows = Array.from(row.parentElement.children);
  document.getElementById("live").textContent = `${row.textContent.trim().split("\n")[0]}: ${rows.indexOf(row) + 1} of ${rows.length}`;
}

/* Listening ------------------------------------------------------------------------------------------------- */
document.addEventListener("click", (event) => {
  const near = (selector) => event.target.closest(selector);
  if (near("[data-move]")) {
    event.preventDefault();
    moveColumn(near("[data-move]"));
  } else if (near("[data-select]")) tick(near("[data-select]"), event.shiftKey);
  else if (near("[data-select-page]")) tickPage(near("[data-select-page]").checked);
  else if (near("[data-select-none]")) tickPage(false);
  else if (near("[data-select-more]")) {
    if (boxes().every((box) => box.checked)) tickAll();
    else tickPage(true);
  }
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-list]")) addTheOthers(event.target, event.submitter);
  if (event.target.matches("[data-sparse]")) {
    for (const field of event.target.elements) field.disabled = field.name !== "" && field.value === "";
  }
});
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const row = event.detail.target, box = row.querySelector?.("[data-select]");
  const fresh = box && event.detail.fragment.querySelector(`#${box.id}`);
  if (fresh) fresh.checked = box.checked;
});
document.addEventListener("htmx:afterSettle", showBar);
document.addEventListener("DOMContentLoaded", showBar);
window.addEventListener("pageshow", showBar);
