// What the pages do beyond HTML: copy, confirm, dismiss, menus, a number preview and the invoice line editor.
"use strict";

const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

/* Copy ----------------------------------------------------------------------------------------------------- */
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // a plain http address has no clipboard API
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("The browser refused to copy");
}

async function copyFrom(button) {
  const source = button.dataset.copyFrom && document.querySelector(button.dataset.copyFrom);
  const label = button.querySelector("[data-copy-label]") || button;
  button.dataset.before ??= label.textContent;
  try {
    await copyText(source ? source.textContent.trim() : button.dataset.copy);
    label.textContent = "Copied";
  } catch {
    label.textContent = "Press Ctrl+C";
    if (source) window.getSelection().selectAllChildren(source);
  }
  document.getElementById("live").textContent = label.textContent;
  clearTimeout(button.timer);
  button.timer = setTimeout(() => { label.textContent = button.dataset.before; }, 2000);
}

/* Confirm: <form data-confirm="Question" data-confirm-text data-confirm-action> or the same on its button ----- */
function confirmSubmit(event) {
  const form = event.target, button = event.submitter;
  const asked = button?.dataset.confirm ? button.dataset : form.dataset;
  if (!asked.confirm || form.confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const dialog = document.getElementById("confirm");
  const yes = dialog.querySelector("[value=yes]");
  dialog.querySelector("h2").textContent = asked.confirm;
  dialog.querySelector("p").textContent = asked.confirmText || "";
  dialog.querySelector("p").hidden = !asked.confirmText;
  yes.textContent = asked.confirmAction || "Continue";
  yes.className = asked.confirmTone === "danger" ? "btn btn-danger btn-solid" : "btn btn-primary";
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "yes") return;
    form.confirmed = true;
    form.requestSubmit(button);
    form.confirmed = false;
  };
  dialog.showModal();
}

/* Theme: a cookie, so that the server renders the next page in it; without one the system's own ----------------- */
function chooseTheme(theme) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `theme=${theme}; path=/; max-age=${theme ? 400 * 86400 : 0}; samesite=lax${secure}`;
  if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
  document.querySelector("meta[name=color-scheme]").content = theme || "light dark";
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-theme-choice]")) chooseTheme(event.target.value);
});

/* Number preview: the inputs named starting_position, prefix, suffix and digits of one form ------------------- */
function previewNumbers(form) {
  const value = (name) => form.elements[name]?.value.trim() ?? "";
  const start = /^\d{1,18}$/.test(value("starting_position")) ? BigInt(value("starting_position")) : null;
  const digits = /^\d{1,2}$/.test(value("digits")) ? Number(value("digits")) : 0;
  all("output[data-number-preview]", form).forEach((output, index) => {
    const number = start === null ? "…" : String(start + BigInt(index)).padStart(digits, "0");
    output.textContent = value("prefix") + number + value("suffix");
  });
}

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

function decimalString(pennies) {
  const digits = String(pennies < 0n ? -pennies : pennies).padStart(3, "0");
  return `${pennies < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/* The line editor: <div data-lines="lines" data-locale data-currency> around a Django formset ------------------ */
const part = (row, name) => row.querySelector(`[name$="-${name}"]`);
const liveLines = (editor) => all("[data-line]", editor).filter((row) => !part(row, "DELETE")?.checked);

function readLine(row) {
  const text = (name) => part(row, name)?.value ?? "";
  const rate = part(row, "tax_rate")?.selectedOptions[0];
  return linePennies(
    parseDecimal(text("quantity")),
    parseDecimal(text("unit_price")),
    parseDecimal(text("discount_percent") || "0"),
    parseDecimal(rate?.dataset.percentage || "0"),
  );
}

function showTotals(editor) {
  const { locale, currency } = editor.dataset;
  const plain = new Intl.NumberFormat(locale, { minimumFractionDigits: 2 });
  const money = new Intl.NumberFormat(locale, { style: "currency", currency });
  const sums = { net: 0n, tax: 0n, total: 0n };
  for (const row of liveLines(editor)) {
    const line = readLine(row);
    for (const name of Object.keys(sums)) {
      const output = row.querySelector(`[data-line-${name}]`);
      if (output) output.textContent = line ? plain.format(decimalString(line[name])) : "–";
      if (line) sums[name] += line[name];
    }
  }
  for (const name of Object.keys(sums)) {
    all(`[data-total="${name}"]`, editor).forEach((output) => { output.textContent = money.format(decimalString(sums[name])); });
  }
}

function focusLine(row) {
  row.querySelector("select:not([hidden]), input:not([type=hidden], [type=checkbox])")?.focus();
}

function addLine(editor) {
  const count = document.getElementById(`id_${editor.dataset.lines}-TOTAL_FORMS`);
  const holder = document.createElement("tbody");
  holder.innerHTML = editor.querySelector("template[data-line-template]").innerHTML.replaceAll("__prefix__", count.value);
  const row = holder.querySelector("[data-line]");
  editor.querySelector("[data-line-rows]").append(row);
  count.value = String(Number(count.value) + 1);
  focusLine(row);
  showTotals(editor);
}

function removeLine(editor, row) {
  part(row, "DELETE").checked = true;
  row.hidden = true;
  const notice = document.createElement("tr");
  notice.className = "removed";
  const cell = notice.insertCell();
  cell.colSpan = row.cells.length;
  const undo = document.createElement("button");
  undo.type = "button";
  undo.className = "btn btn-link";
  undo.dataset.lineUndo = "";
  undo.textContent = "Undo";
  cell.append(`Removed “${part(row, "description").value || "empty line"}”. `, undo);
  row.after(notice);
  undo.focus();
  showTotals(editor);
}

function undoRemove(editor, notice) {
  const row = notice.previousElementSibling;
  part(row, "DELETE").checked = false;
  row.hidden = false;
  notice.remove();
  focusLine(row);
  showTotals(editor);
}

function fillFromItem(row) {
  const { description, price, tax } = part(row, "item").selectedOptions[0].dataset;
  if (description !== undefined) part(row, "description").value = description;
  if (price !== undefined) part(row, "unit_price").value = price;
  if (part(row, "tax_rate").querySelector(`option[value="${CSS.escape(tax)}"]`)) part(row, "tax_rate").value = tax;
}

function lineKeys(event) {
  const row = event.target.closest("[data-line]");
  const editor = event.target.closest("[data-lines]");
  if (!row || !editor) return;
  if (event.altKey && event.key === "Backspace") {
    event.preventDefault();
    removeLine(editor, row);
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && event.target.matches("input, select")) {
    event.preventDefault();
    const rows = liveLines(editor);
    const next = rows[rows.indexOf(row) + 1];
    if (next) focusLine(next); else addLine(editor);
  }
}

/* Listening ------------------------------------------------------------------------------------------------- */
document.addEventListener("submit", confirmSubmit, true);
document.addEventListener("keydown", (event) => {
  lineKeys(event);
  if (event.key !== "Escape") return;
  all("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
});
document.addEventListener("click", (event) => {
  const near = (selector) => event.target.closest(selector);
  all("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  const editor = near("[data-lines]");
  if (near("[data-copy], [data-copy-from]")) copyFrom(near("[data-copy], [data-copy-from]"));
  else if (near("[data-dismiss]")) near(near("[data-dismiss]").dataset.dismiss)?.remove();
  else if (near("[data-line-add]")) addLine(editor);
  else if (near("[data-line-remove]")) removeLine(editor, near("[data-line]"));
  else if (near("[data-line-undo]")) undoRemove(editor, near("tr"));
});
document.addEventListener("input", (event) => {
  if (event.target.matches('[name$="-item"]') && event.target.closest("[data-line]")) fillFromItem(event.target.closest("[data-line]"));
  if (event.target.closest("[data-lines]")) showTotals(event.target.closest("[data-lines]"));
  if (event.target.form?.querySelector("[data-number-preview]")) previewNumbers(event.target.form);
});
for (const failed of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(failed, () => { document.getElementById("unanswered").hidden = false; });
}
document.addEventListener("htmx:afterOnLoad", () => { document.getElementById("unanswered").hidden = true; });
document.addEventListener("DOMContentLoaded", () => {
  all("[data-lines]").forEach(showTotals);
  all("form:has([data-number-preview])").forEach(previewNumbers);
  document.querySelector("[data-focus]")?.focus();
});
