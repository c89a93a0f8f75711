// What the pages do beyond HTML: copy, confirm, dismiss, menus and a number preview.
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
/** What stands in the place of an element that the page has replaced while it was asked about; null where nothing does. */
function asStands(element) {
  return !element?.id || element.isConnected ? element : document.getElementById(element.id);
}

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
    const sent = asStands(form);
    if (dialog.returnValue !== "yes" || !sent) return;
    sent.confirmed = true;
    sent.requestSubmit(asStands(button));
    sent.confirmed = false;
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

/* Amounts: pennies as a BigInt, written with two places ------------------------------------------------------- */
function decimalString(pennies) {
  const digits = String(pennies < 0n ? -pennies : pennies).padStart(3, "0");
  return `${pennies < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/* Listening ------------------------------------------------------------------------------------------------- */
document.addEventListener("submit", confirmSubmit, true);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  all("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
});
document.addEventListener("click", (event) => {
  const near = (selector) => event.target.closest(selector);
  all("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  if (near("[data-copy], [data-copy-from]")) copyFrom(near("[data-copy], [data-copy-from]"));
  else if (near("[data-dismiss]")) near(near("[data-dismiss]").dataset.dismiss)?.remove();
  else if (near("[data-print]")) window.print();
});
document.addEventListener("input", (event) => {
  if (event.target.form?.querySelector("[data-number-preview]")) previewNumbers(event.target.form);
});
for (const failed of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(failed, () => { document.getElementById("unanswered").hidden = false; });
}
document.addEventListener("htmx:afterOnLoad", () => { document.getElementById("unanswered").hidden = true; });
document.addEventListener("DOMContentLoaded", () => {
  all("form:has([data-number-preview])").forEach(previewNumbers);
  document.querySelector("[data-focus]")?.focus();
});
