// Boxes in which a client, property or item is chosen by typing, and created in place where there is none.
"use strict";

const WAIT_TO_ASK = 120; // ms after the last keystroke
const choice = { input: null, rows: [], at: -1, byItself: false, asking: null, timer: 0 };

const choices = () => document.getElementById("choices-list");
const options = () => all('[role="option"]', choices());
const idOf = (input) => input.previousElementSibling;
const isOpen = (input) => choice.input === input && !choices().hidden;
const addressOf = (input, kind) => input.form.dataset[`${input.dataset.choose}${kind}`];
const PLURALS = { client: "clients", property: "properties", item: "items" };

/* Asking ---------------------------------------------------------------------------------------------------- */
/** What is asked for: all where the box holds what was chosen already. */
const wordsOf = (input) => (idOf(input).value ? "" : input.value.trim());

async function fetchRows(input, words, signal) {
  const asked = new URLSearchParams({ q: words });
  if (input.dataset.choose === "property") asked.set("client", input.form.elements.client.value);
  const answer = await fetch(`${addressOf(input, "Choices")}?${asked}`, { signal, redirect: "manual", headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`Answered ${answer.status}`);
  return (await answer.json()).rows;
}

async function ask(input) {
  clearTimeout(choice.timer);
  choice.asking?.abort();
  choice.asking = new AbortController();
  choice.input = input;
  const { signal } = choice.asking, words = wordsOf(input);
  try {
    const rows = await fetchRows(input, words, signal);
    if (!signal.aborted && document.activeElement === input) showRows(input, rows, words);
  } catch (error) {
    if (error.name !== "AbortError" && document.activeElement === input) showTrouble(input);
  }
}

function askSoon(input) {
  clearTimeout(choice.timer);
  choice.timer = setTimeout(() => ask(input), WAIT_TO_ASK);
}

/* The list -------------------------------------------------------------------------------------------------- */
function option(row, index) {
  const shown = document.createElement("li");
  shown.id = `choice-${index}`;
  shown.setAttribute("role", "option");
  shown.setAttribute("aria-selected", "false");
  shown.dataset.index = index;
  for (const [name, text] of [["label", row.label], ["beside", row.note]]) {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = text;
    if (text) shown.append(span);
  }
  if (row.create) shown.className = "create";
  return shown;
}

const isNamed = (row, words) => [row.label, row.text].some((name) => name.toLowerCase() === words.toLowerCase());

function withCreate(input, rows, words) {
  const noun = input.dataset.choose;
  if (!words || !addressOf(input, "Create") || rows.some((row) => isNamed(row, words))) return rows;
  return [...rows, { create: words, label: `Create ${noun} “${words}”…`, note: "" }];
}

function showRows(input, rows, words) {
  const list = choices();
  choice.rows = withCreate(input, rows, words);
  list.replaceChildren(...choice.rows.map(option));
  if (!choice.rows.length) list.append(saying(words ? `None of the ${PLURALS[input.dataset.choose]} fits “${words}”.` : "There is none yet."));
  openList(input);
  list.scrollIntoView({ block: "nearest" });
  setAt(words && choice.rows.length ? 0 : -1);
  choice.byItself = choice.at === 0;
  tell(rows, words, input);
}

function tell(rows, words, input) {
  const create = choice.rows.at(-1)?.create ? `, or create ${input.dataset.choose} “${words}”` : "";
  announce(rows.length ? `${rows.length} to choose from${create}` : `Nothing fits${create}`);
}

function saying(text) {
  const line = document.createElement("li");
  line.setAttribute("role", "presentation");
  line.className = "saying";
  line.textContent = text;
  return line;
}

function showTrouble(input) {
  choice.rows = [];
  choices().replaceChildren(saying("Reflow did not answer just now. Type on to ask again."));
  openList(input);
  setAt(-1);
  announce("Reflow did not answer just now");
}

function openList(input) {
  input.after(choices());
  choices().hidden = false;
  input.setAttribute("aria-expanded", "true");
}

function closeList() {
  clearTimeout(choice.timer);
  choice.asking?.abort();
  choices().hidden = true;
  choice.input?.setAttribute("aria-expanded", "false");
  choice.input?.removeAttribute("aria-activedescendant");
  choice.at = -1;
}

function setAt(index) {
  const shown = options();
  choice.at = index;
  choice.byItself = false;
  shown.forEach((node, n) => node.setAttribute("aria-selected", String(n === index)));
  if (index < 0) return choice.input.removeAttribute("aria-activedescendant");
  choice.input.setAttribute("aria-activedescendant", shown[index].id);
  return shown[index].scrollIntoView({ block: "nearest" });
}

/* Choosing -------------------------------------------------------------------------------------------------- */
function choose(input, row) {
  closeList();
  input.value = row.text;
  idOf(input).value = row.id;
  input.removeAttribute("aria-invalid");
  delete input.parentElement.dataset.created;
  input.dispatchEvent(new CustomEvent("chosen", { bubbles: true, detail: row }));
  announce(`${row.label} chosen`);
}

function take(input, row) {
  if (row.create) openCreate(input, row.create); else choose(input, row);
}

/** What was typed and left without choosing: taken where it names just one row. */
async function settle(input) {
  const words = wordsOf(input);
  if (!words) return;
  const rows = await fetchRows(input, words).catch(() => []);
  const named = rows.filter((row) => isNamed(row, words));
  const fits = named.length ? named : rows;
  if (fits.length === 1 && wordsOf(input) === words && document.activeElement !== input) choose(input, fits[0]);
}

/* Keys ------------------------------------------------------------------------------------------------------ */
function step(input, by) {
  if (!isOpen(input)) return ask(input);
  if (choice.byItself && by > 0) return stepOntoFirst();
  const count = choice.rows.length;
  return count ? setAt((choice.at + by + (choice.at < 0 && by < 0 ? 1 : 0) + count) % count) : undefined;
}

/** The first row is marked as soon as it is found; the first step down is onto it, not past it. */
function stepOntoFirst() {
  announce(choice.rows[0].label);
  setAt(0);
}

const LIST_KEYS = {
  ArrowDown: (input) => step(input, 1),
  ArrowUp: (input) => step(input, -1),
  Home: () => setAt(0),
  End: () => setAt(choice.rows.length - 1),
  Escape: () => closeList(),
  Enter: (input) => take(input, choice.rows[choice.at]),
};

/** Whether the list has a use for the key; else it means what it means in any box. */
function isForList(event, input) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return false;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") return true;
  if (event.key === "Escape") return isOpen(input);
  return isOpen(input) && choice.at >= 0 && event.key in LIST_KEYS;
}

function choiceKeys(event) {
  const input = event.target;
  if (!input.matches?.("[data-choose]")) return;
  if (isForList(event, input)) {
    event.preventDefault();
    event.stopPropagation();
    LIST_KEYS[event.key](input);
  } else if (event.key === "Tab" && isOpen(input) && choice.at >= 0 && !choice.rows[choice.at].create) {
    choose(input, choice.rows[choice.at]);
  } else if (event.key === "Enter" && !input.closest("[data-line]")) {
    event.preventDefault(); // the form is not sent from a box that is still being filled
  }
}

/* Creating in place ------------------------------------------------------------------------------------------- */
const createDialog = () => document.getElementById("create");

async function openCreate(input, words) {
  closeList();
  const dialog = createDialog();
  dialog.returnTo = input;
  try {
    const answer = await fetch(`${addressOf(input, "Create")}?${new URLSearchParams({ q: words })}`, { redirect: "manual" });
    if (!answer.ok) throw new Error(`Answered ${answer.status}`);
    dialog.innerHTML = await answer.text();
  } catch {
    openList(input);
    return showTrouble(input);
  }
  dialog.showModal();
  return dialog.querySelector("input:not([type=hidden])").focus();
}

async function sendCreate(event) {
  const form = event.target, dialog = createDialog();
  if (!form.matches("[data-create-form]")) return;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
    if (answer.status === 201) return finishCreate(await answer.json());
    if (!answer.ok) throw new Error(`Answered ${answer.status}`);
    dialog.innerHTML = await answer.text();
    dialog.querySelector('[aria-invalid="true"]')?.focus();
  } catch {
    form.querySelector("[data-create-trouble]").hidden = false;
  }
  return form.removeAttribute("aria-busy");
}

function finishCreate(row) {
  const dialog = createDialog(), input = dialog.returnTo;
  dialog.close();
  input.focus();
  choose(input, row);
  const noun = input.dataset.choose, created = `${noun[0].toUpperCase()}${noun.slice(1)} created`;
  input.parentElement.dataset.created = created;
  announce(`${created}: ${row.label}`);
}

/* Listening ------------------------------------------------------------------------------------------------- */
document.addEventListener("keydown", choiceKeys, true);
document.addEventListener("submit", sendCreate);
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-choose]")) return;
  idOf(event.target).value = "";
  delete event.target.parentElement.dataset.created;
  askSoon(event.target);
});
document.addEventListener("focusout", (event) => {
  if (!event.target.matches("[data-choose]")) return;
  if (choice.input === event.target) closeList();
  if (!createDialog().open) settle(event.target);
});
document.addEventListener("mousedown", (event) => {
  if (event.target.closest("#choices-list")) event.preventDefault(); // the box keeps the focus
});
document.addEventListener("click", (event) => {
  const box = event.target.closest("[data-choose]"), row = event.target.closest("#choices-list [role=option]");
  if (row) take(choice.input, choice.rows[Number(row.dataset.index)]);
  else if (box && !isOpen(box)) ask(box);
  else if (event.target.closest("[data-create-cancel]")) createDialog().close();
});
document.addEventListener("DOMContentLoaded", () => {
  createDialog().addEventListener("close", () => createDialog().returnTo?.focus());
});
