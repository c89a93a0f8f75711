// The editor of an invoice: its lines as a grid by keyboard, their sums as one types, and the date it is due.
"use strict";

/* Decimals: {units, scale}, never a float; halves round away from zero ---------------------------------------- */
function parseDecimal(text) {
  const found = /^([+-]?)(\d*)\.?(\d*)$/.exec(text.replace(/[,\s]/g, ""));
  if (!found || !(found[2] || found[3])) return null;
  return { units: BigInt(found[1] + found[2] + found[3]), scale: found[3].length };
}

function divideHalfUp(numerator, denominator) {
  const size = numerator < 0n ? -numerator : numerator;
  const rounded = (2n * size + denominator) / (2n * denominator);
  return numerator < 0n ? -rounded : rounded;
}

const power = (scale) => 10n ** BigInt(scale);

/** Pennies of one line, or null while a figure is missing or no number. */
function linePennies(quantity, price, discount, percentage) {
  if (!quantity || !price || !discount || !percentage) return null;
  const kept = 100n * power(discount.scale) - discount.units;
  const net = divideHalfUp(quantity.units * price.units * kept, power(quantity.scale + price.scale + discount.scale));
  const tax = divideHalfUp(net * percentage.units, 100n * power(percentage.scale));
  return { net, tax, total: net + tax };
}

/* Sums: <form data-lines="lines" data-locale data-currency> around a Django formset ---------------------------- */
const part = (row, name) => row.querySelector(`[name$="-${name}"]`);
const textOf = (row, name) => part(row, name)?.value.trim() ?? "";
const liveLines = (editor) => all("[data-line]", editor).filter((row) => !part(row, "DELETE")?.checked);
const announce = (text) => { document.getElementById("live").textContent = text; };

function readLine(row) {
  const rate = part(row, "tax_rate").selectedOptions[0];
  const line = linePennies(
    parseDecimal(textOf(row, "quantity")),
    parseDecimal(textOf(row, "unit_price")),
    parseDecimal(textOf(row, "discount_percent") || "0"),
    parseDecimal(rate?.dataset.percentage || "0"),
  );
  return line && { ...line, rate: rate?.value };
}

const noSums = () => ({ net: 0n, tax: 0n, total: 0n });

function addSums(sums, line) {
  for (const name of Object.keys(sums)) sums[name] += line[name];
}

function showLine(row, line, plain) {
  for (const name of ["net", "tax", "total"]) {
    const shown = row.querySelector(`[data-line-${name}]`);
    if (shown) shown.textContent = line ? plain.format(decimalString(line[name])) : "–";
  }
}

function showRate(box, sums, money) {
  box.hidden = !sums;
  if (!sums) return;
  box.querySelector("[data-rate-net]").textContent = money.format(decimalString(sums.net));
  box.querySelector("[data-rate-tax]").textContent = money.format(decimalString(sums.tax));
}

function showTotals(editor) {
  const { locale, currency } = editor.dataset;
  const plain = new Intl.NumberFormat(locale, { minimumFractionDigits: 2 });
  const money = new Intl.NumberFormat(locale, { style: "currency", currency });
  const sums = noSums(), rates = {};
  for (const row of liveLines(editor)) {
    const line = readLine(row);
    showLine(row, line, plain);
    if (!line) continue;
    addSums(sums, line);
    addSums((rates[line.rate] ??= noSums()), line);
  }
  for (const name of Object.keys(sums)) {
    all(`[data-total="${name}"]`, editor).forEach((shown) => { shown.textContent = money.format(decimalString(sums[name])); });
  }
  all("[data-rate]", editor).forEach((box) => showRate(box, rates[box.dataset.rate], money));
}

/* Lines: added, moved, doubled, removed -------------------------------------------------------------------------- */
const isUntouched = (row) =>
  !["item", "item-text", "description", "unit_price"].some((name) => textOf(row, name)) && ["", "1"].includes(textOf(row, "quantity"));

function focusLine(row, name) {
  const target = name ? part(row, name) : row.querySelector("input:not([type=hidden], [type=checkbox])");
  target?.focus();
}

function numberLine(row, place) {
  for (const name of ["name", "id", "for", "aria-describedby"]) {
    for (const node of all(`[${name}]`, row)) {
      node.setAttribute(name, node.getAttribute(name).replace(/\w+-(\d+|__prefix__)-/g, (old) => (old.startsWith("id_") ? `id_${place}` : place)));
    }
  }
}

/** Puts the place of each line into its names: they may stand in any order by then. */
function renumber(editor) {
  const rows = all("[data-line]", editor);
  rows.forEach((row, index) => {
    if (!part(row, "DELETE").name.startsWith(`${editor.dataset.lines}-${index}-`)) numberLine(row, `${editor.dataset.lines}-${index}-`);
  });
  document.getElementById(`id_${editor.dataset.lines}-TOTAL_FORMS`).value = String(rows.length);
}

const isFull = (editor) => liveLines(editor).length >= Number(editor.dataset.most);

function newLine(editor) {
  const holder = document.createElement("tbody");
  holder.innerHTML = editor.querySelector("template[data-line-template]").innerHTML;
  return holder.querySelector("[data-line]");
}

/** A fresh line after `row`, or at the end, to be numbered yet; null where an invoice takes no more. */
function addLine(editor, row = null) {
  if (isFull(editor)) {
    announce(`An invoice takes at most ${editor.dataset.most} lines.`);
    return null;
  }
  const added = newLine(editor);
  if (row) row.after(added); else editor.querySelector("[data-line-rows]").append(added);
  return added;
}

/** There is always a fresh line at the end. */
function keepFreshLine(editor) {
  const last = liveLines(editor).at(-1);
  if ((last && isUntouched(last)) || isFull(editor)) return;
  addLine(editor);
  renumber(editor);
}

/** By the button: the fresh line at the end is the one that is added. */
function addAtEnd(editor) {
  keepFreshLine(editor);
  const last = liveLines(editor).at(-1);
  if (isUntouched(last)) focusLine(last); else announce(`An invoice takes at most ${editor.dataset.most} lines.`);
}

/** After each change of the lines by anything but typing. */
function linesChanged(editor) {
  keepFreshLine(editor);
  renumber(editor);
  editor.dispatchEvent(new Event("input", { bubbles: true }));
}

const nameInLine = (node) => /-\d+-(.+)$/.exec(node?.name ?? "")?.[1];

function moveLine(editor, row, by) {
  const rows = liveLines(editor), beside = rows[rows.indexOf(row) + by];
  if (!beside || isUntouched(row) || isUntouched(beside)) return;
  const name = nameInLine(document.activeElement);
  if (by < 0) beside.before(row); else beside.after(row);
  linesChanged(editor);
  focusLine(row, name);
  announce(`Line ${liveLines(editor).indexOf(row) + 1} of ${rows.length}`);
}

function copyLine(editor, row) {
  const copy = isUntouched(row) ? null : addLine(editor, row);
  if (!copy) return;
  for (const node of all("[name]", row)) {
    const name = nameInLine(node);
    if (name !== "DELETE") part(copy, name).value = node.value;
  }
  linesChanged(editor);
  focusLine(copy, "description");
  announce("Line duplicated");
}

function removedNotice(row) {
  const notice = document.createElement("tr"), cell = notice.insertCell(), undo = document.createElement("button");
  notice.className = "removed";
  cell.colSpan = row.cells.length;
  undo.type = "button";
  undo.className = "btn btn-link";
  undo.dataset.lineUndo = "";
  undo.textContent = "Undo";
  cell.append(`Removed “${textOf(row, "description") || textOf(row, "item-text") || "line"}”. `, undo);
  return notice;
}

function hideRemoved(row) {
  part(row, "DELETE").checked = true;
  row.hidden = true;
  row.after(removedNotice(row));
}

function removeLine(editor, row) {
  const rows = liveLines(editor), index = rows.indexOf(row);
  if (isUntouched(row)) {
    focusLine(rows[index - 1] ?? row);
    if (row !== rows.at(-1)) row.remove();
  } else {
    hideRemoved(row);
    row.nextElementSibling.querySelector("button").focus();
  }
  linesChanged(editor);
}

function undoRemove(editor, notice) {
  const row = notice.previousElementSibling;
  part(row, "DELETE").checked = false;
  row.hidden = false;
  notice.remove();
  linesChanged(editor);
  focusLine(row);
}

function nextLine(editor, row) {
  const rows = liveLines(editor);
  focusLine(rows[rows.indexOf(row) + 1] ?? row);
}

function fillFromItem(row, item) {
  part(row, "description").value = item.description;
  part(row, "unit_price").value = item.price;
  if (part(row, "tax_rate").querySelector(`option[value="${CSS.escape(item.tax)}"]`)) part(row, "tax_rate").value = item.tax;
}

/* Rows out of a spreadsheet: description, quantity, price --------------------------------------------------------- */
/** Cells by row; what a spreadsheet quoted may hold tabs and line ends. */
function spreadsheetRows(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"(?=\t|\r?\n|$)|([^\t\r\n]*))(\t|\r?\n|$)/g)) {
    rows.at(-1).push((quoted?.replaceAll('""', '"') ?? plain).replace(/\s+/g, " ").trim());
    if (end !== "\t") rows.push([]);
  }
  return rows.filter((row) => row.some(Boolean)).filter((row, n) => n || !/^description$/i.test(row[0]));
}

const figure = (text) => text.replace(/[£€$\s]/g, "");

function fillFromCells(row, [description, quantity = "", price = ""]) {
  part(row, "description").value = description;
  if (quantity) part(row, "quantity").value = figure(quantity);
  if (price) part(row, "unit_price").value = figure(price);
}

/** The line to fill after `at`: itself or the next one while nobody touched it, else one put in between. */
function lineToFill(editor, at) {
  if (isUntouched(at)) return at;
  const rows = liveLines(editor), next = rows[rows.indexOf(at) + 1];
  return next && isUntouched(next) ? next : addLine(editor, at);
}

function pasteRows(editor, row, rows) {
  let at = row, filled = 0;
  for (const cells of rows) {
    const line = lineToFill(editor, at);
    if (!line) break;
    fillFromCells(line, cells);
    at = line;
    filled += 1;
  }
  linesChanged(editor);
  const left = rows.length - filled;
  announce(`${filled} ${filled === 1 ? "line" : "lines"} pasted${left ? `; ${left} did not fit` : ""}`);
  focusLine(at, "description");
}

function pasteLines(event) {
  const row = event.target.closest?.("[data-line]"), text = event.clipboardData?.getData("text/plain") ?? "";
  if (!row || !/\t|\n./.test(text.trim())) return;
  const rows = spreadsheetRows(text);
  if (!rows.length) return;
  event.preventDefault();
  pasteRows(row.closest("[data-lines]"), row, rows);
}

/* A figure that is clicked into is replaced by what is typed; a second click puts the caret where it points ---------- */
let entered = null;

function enterFigure(event) {
  const isFigure = event.target.matches('[data-line] input[inputmode="decimal"]');
  entered = isFigure && event.target !== document.activeElement ? event.target : null;
}

function selectFigure({ target }) {
  if (target === entered && target.selectionStart === target.selectionEnd) target.select();
}

/* Keys and the menu of a line ------------------------------------------------------------------------------------- */
const DEEDS = { up: (editor, row) => moveLine(editor, row, -1), down: (editor, row) => moveLine(editor, row, 1), copy: copyLine, remove: removeLine };

function deedOf(event) {
  if (event.altKey && !event.ctrlKey) return { ArrowUp: "up", ArrowDown: "down", Backspace: "remove" }[event.key];
  return (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "d" ? "copy" : undefined;
}

function lineKeys(event) {
  const row = event.target.closest("[data-line]"), editor = event.target.closest("[data-lines]");
  if (event.defaultPrevented || !row) return;
  const deed = deedOf(event);
  if (deed) {
    event.preventDefault();
    DEEDS[deed](editor, row);
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && event.target.matches("input, select")) {
    event.preventDefault();
    nextLine(editor, row);
  }
}

const lineMenu = () => document.getElementById("line-menu");

function closeLineMenu() {
  const menu = lineMenu(), button = menu.parentElement.querySelector("[data-line-menu]");
  menu.hidden = true;
  menu.closest("form").append(menu);
  button?.setAttribute("aria-expanded", "false");
  return button;
}

function openLineMenu(button) {
  const wasOpen = button.getAttribute("aria-expanded") === "true";
  closeLineMenu();
  if (wasOpen) return;
  button.after(lineMenu());
  lineMenu().hidden = false;
  button.setAttribute("aria-expanded", "true");
  lineMenu().querySelector("button").focus();
}

function lineClicks(event) {
  const near = (selector) => event.target.closest(selector), editor = near("[data-lines]"), row = near("[data-line]");
  const menu = near("[data-line-menu]"), deed = near("[data-line-deed]");
  if (menu) openLineMenu(menu); else if (!lineMenu().hidden && (deed || !near("#line-menu"))) closeLineMenu();
  if (deed) DEEDS[deed.dataset.lineDeed](editor, row);
  else if (near("[data-line-remove]")) removeLine(editor, row);
  else if (near("[data-line-undo]")) undoRemove(editor, near("tr"));
  else if (near("[data-line-add]")) addAtEnd(editor);
}

/* Due: by the client's terms, until a person says otherwise --------------------------------------------------------- */
function dueByTerms(editor) {
  const terms = editor.elements["client-text"].dataset.terms, issued = editor.elements.issue_date.value;
  if (!terms || !issued) return "";
  const day = new Date(`${issued}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() + Number(terms));
  return day.toISOString().slice(0, 10);
}

function followTerms(editor) {
  const due = editor.elements.due_date;
  if (!due.byHand && dueByTerms(editor)) due.value = dueByTerms(editor);
  sayDue(due);
}

/** Beneath the date: where it came from, or how to have it filled. */
function sayDue(due) {
  const help = document.getElementById(`${due.id}_helptext`);
  help.dataset.before ??= help.textContent;
  help.textContent = due.value && !due.byHand ? "From the client's terms" : help.dataset.before;
}

function beginDue(editor) {
  const due = editor.elements.due_date;
  due.byHand = due.value !== "" && due.value !== dueByTerms(editor);
  sayDue(due);
  due.addEventListener("input", () => { due.byHand = due.value !== ""; sayDue(due); });
  editor.elements.issue_date.addEventListener("input", () => followTerms(editor));
}

/* Listening ------------------------------------------------------------------------------------------------- */
function begin(editor) {
  all("[data-line]", editor).filter((row) => part(row, "DELETE").checked).forEach(hideRemoved);
  keepFreshLine(editor);
  showTotals(editor);
  beginDue(editor);
  editor.addEventListener("keydown", lineKeys);
  editor.addEventListener("paste", pasteLines);
  editor.addEventListener("mousedown", enterFigure);
  editor.addEventListener("click", selectFigure);
  editor.addEventListener("input", () => { keepFreshLine(editor); showTotals(editor); });
  editor.addEventListener("chosen", (event) => {
    const row = event.target.closest("[data-line]");
    if (row) fillFromItem(row, event.detail);
    else if (event.target.name === "client-text") { event.target.dataset.terms = event.detail.terms; followTerms(editor); }
    editor.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

document.addEventListener("click", lineClicks);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !lineMenu().hidden) closeLineMenu()?.focus();
});
document.addEventListener("DOMContentLoaded", () => all("form[data-lines]").forEach(begin));
