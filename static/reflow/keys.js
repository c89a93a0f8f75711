// Single keys: search, new, moving in a list, sending, going elsewhere; and the map of them, where each person can switch them off.
"use strict";
{
  const map = document.getElementById("keys");
  const whoseOff = `keys-off-${map.dataset.person}`;
  const TYPING = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], [role=combobox], [role=listbox]";
  const PATIENCE = 1500; // milliseconds between g and what follows it

  const isShown = (element) => (element.closest("details.menu")?.querySelector("summary") ?? element).checkVisibility();
  const find = (selector) => Array.from(document.querySelectorAll(selector))
    .find((found) => isShown(found) && !found.disabled && found.ariaDisabled !== "true");
  const keyed = (letter) => () => find(`[data-key="${letter}"]`);
  const there = (letter) => () => document.querySelector(`[data-go="${letter}"]`);
  const words = (element) => element.textContent.replace(element.querySelector("small")?.textContent ?? "", "").trim();

  /* Lists: the row in hand is the one that holds the focus, or held it last -------------------------------------- */
  const linkOf = (row) => row.querySelector("a[href]");
  const rows = () => Array.from(document.querySelectorAll("[data-row]")).filter((row) => row.checkVisibility() && linkOf(row));
  let held = null;

  function inHand() {
    held = document.activeElement.closest("[data-row]") ?? held;
    if (held && !held.isConnected) held = document.getElementById(held.id); // htmx put a fresh row in its place
    return held;
  }

  function move(step) {
    const list = rows(), at = list.indexOf(inHand());
    held = list[at < 0 ? 0 : Math.min(Math.max(at + step, 0), list.length - 1)];
    linkOf(held).focus({ preventScroll: true });
    held.scrollIntoView({ block: "nearest" });
  }

  function search(field) {
    field.focus();
    field.select();
  }

  /* What each key is for: `on` finds what it acts upon, on this page and for this person; without that it does nothing */
  const click = (element) => element.click();

  /** A slip of one finger must not approve or send: what a mouse does at once asks first where a key pressed it. */
  function ask(button) {
    const asked = button.dataset, own = asked.confirm;
    if (!own) {
      asked.confirm = asked.ask || `${words(button)} ${document.getElementById("number")?.textContent ?? ""}`.trim() + "?";
      asked.confirmText = asked.askText || "";
      asked.confirmAction = words(button);
    }
    button.click();
    if (!own) for (const name of ["confirm", "confirmText", "confirmAction"]) delete asked[name];
    document.querySelector("#confirm[open] [value=yes]")?.focus();
  }

  const someRow = () => rows()[0];
  const newInvoice = () => document.querySelector("[data-new]");
  const KEYS = [
    { key: "/", says: "Search this page", on: () => find("input[type=search]"), does: search },
    { key: "/", says: "Search invoices", on: there("i"), does: (link) => location.assign(`${link.href}#search`) },
    { key: "n", says: words, on: keyed("n"), does: click },
    { key: "n", says: "New invoice", on: newInvoice, does: (nav) => location.assign(nav.dataset.new) },
    { key: "j", says: "Next row", on: someRow, does: () => move(1), repeats: true },
    { key: "k", says: "Row before", on: someRow, does: () => move(-1), repeats: true },
    { key: "x", says: "Tick the row", on: () => find("[data-row] [data-select]"), does: () => inHand()?.querySelector("[data-select]")?.click() },
    { key: "Enter", says: "Open the row", on: someRow },
    { key: "e", says: words, on: keyed("e"), does: click },
    { key: "a", says: words, on: keyed("a"), does: ask },
    { key: "s", says: words, on: keyed("s"), does: ask },
    { key: "m", says: words, on: keyed("m"), does: click },
    { key: "p", says: words, on: keyed("p"), does: click },
    { key: "Ctrl S", says: "Save", on: () => document.querySelector("form[data-scratch]") },
    { key: "g d", says: "Go to the dashboard", on: there("d"), does: click },
    { key: "g i", says: "Go to invoices", on: there("i"), does: click },
    { key: "g c", says: "Go to clients", on: there("c"), does: click },
    { key: "g s", says: "Go to settings", on: there("s"), does: click },
    { key: "Escape", says: "Close what is open", on: () => document.body },
    { key: "?", says: "Show this list", on: () => document.body, does: showMap },
  ];

  /** What works here and now, each key once. */
  function working() {
    const found = KEYS.map((key) => ({ ...key, target: key.on() })).filter((key) => key.target);
    return found.filter((key, index) => found.findIndex((other) => other.key === key.key) === index);
  }

  /* The map ------------------------------------------------------------------------------------------------------ */
  function line({ key, says, target }) {
    const term = document.createElement("dt"), meaning = document.createElement("dd");
    for (const name of (key === "?" ? "Shift ?" : key).split(" ")) {
      const cap = document.createElement("kbd");
      cap.textContent = name;
      term.append(cap, " ");
    }
    meaning.textContent = typeof says === "string" ? says : says(target);
    return [term, meaning];
  }

  function showMap() {
    map.querySelector("dl").replaceChildren(...working().flatMap(line));
    map.querySelector("input").checked = !localStorage.getItem(whoseOff);
    map.showModal();
  }

  map.querySelector("input").addEventListener("change", (event) => {
    if (event.target.checked) localStorage.removeItem(whoseOff); else localStorage.setItem(whoseOff, "1");
  });
  document.querySelector("[data-keys]").addEventListener("click", showMap);

  /* Listening ---------------------------------------------------------------------------------------------------- */
  let pressedG = -Infinity;

  function isForUs(event) {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.shiftKey && /^[a-z]$/i.test(event.key)) return false;
    return !event.target.closest?.(TYPING) && !document.querySelector("dialog[open]") && !localStorage.getItem(whoseOff);
  }

  document.addEventListener("keydown", (event) => {
    if (!isForUs(event)) return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const typed = event.timeStamp - pressedG < PATIENCE ? `g ${name}` : name;
    pressedG = typed === "g" ? event.timeStamp : -Infinity;
    const key = working().find((one) => one.key === typed && one.does);
    if (!key || (event.repeat && !key.repeats)) return;
    event.preventDefault();
    key.does(key.target);
  });

  if (location.hash === "#search") {
    history.replaceState(null, "", location.pathname + location.search);
    find("input[type=search]")?.focus();
  }
}
