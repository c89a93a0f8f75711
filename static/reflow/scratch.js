// What is typed into the editor is kept by itself a moment after the last keystroke, and nothing of it is lost.
"use strict";

const WAIT_TO_KEEP = 800, WAIT_TO_TRY_AGAIN = 5000; // ms
const scratch = { form: null, dirty: false, failed: false, leaving: false, keeping: null, timer: 0 };

const formAddress = () => `${location.pathname}?scratch=${scratch.form.dataset.scratch}`;
const stashName = () => `scratch ${scratch.form.dataset.person} ${scratch.form.dataset.scratch}`;

function typedNow() {
  const typed = new URLSearchParams(new FormData(scratch.form));
  typed.delete("csrfmiddlewaretoken");
  return typed;
}

function sayScratch(text, tone = "", link = "") {
  const line = document.getElementById("scratch-state");
  if (line.dataset.said === text) return;
  line.dataset.said = text;
  line.className = `scratch-state ${tone}`;
  line.replaceChildren(text);
  if (!link) return;
  const anchor = document.createElement("a");
  anchor.href = formAddress();
  anchor.textContent = link;
  line.append(" ", anchor);
}

/* Keeping --------------------------------------------------------------------------------------------------- */
function send(body, keepalive = false) {
  const token = scratch.form.elements.csrfmiddlewaretoken.value;
  const headers = { "X-CSRFToken": token, Accept: "application/json" };
  return fetch(scratch.form.dataset.scratchUrl, { method: "POST", body, headers, redirect: "manual", keepalive });
}

/** "kept", "signed out", "refused" or "lost". */
async function keepOnce() {
  scratch.dirty = false;
  const body = typedNow();
  const answer = await send(body).catch(() => null);
  if (answer?.ok) return kept((await answer.json()).at);
  scratch.dirty = scratch.failed = true;
  if (answer?.type === "opaqueredirect" || answer?.status === 403) return signedOut(body);
  if (answer?.status === 422) return refused((await answer.json()).message);
  return lost();
}

function kept(at) {
  scratch.failed = false;
  history.replaceState(history.state, "", formAddress());
  sessionStorage.removeItem(stashName());
  sayScratch(`Kept at ${at}, not saved yet`);
  return "kept";
}

/** Whoever signs in again comes back to this form, and what could not be kept is waiting in this tab. */
function signedOut(body) {
  sessionStorage.setItem(stashName(), body);
  scratch.failed = false;
  sayScratch("You were signed out. Nothing is lost:", "tone-warn", "sign in and go on");
  return "signed out";
}

function refused(message) {
  sayScratch(message, "tone-bad");
  return "refused";
}

function lost() {
  sayScratch("Not kept yet: Reflow can't be reached. Trying again…", "tone-bad");
  clearTimeout(scratch.timer);
  scratch.timer = setTimeout(keep, WAIT_TO_TRY_AGAIN);
  return "lost";
}

/** One at a time; what was typed meanwhile goes with the next one. */
async function keep() {
  clearTimeout(scratch.timer);
  while (scratch.keeping) await scratch.keeping;
  if (!scratch.dirty || scratch.leaving) return "kept";
  scratch.keeping = keepOnce();
  const outcome = await scratch.keeping;
  scratch.keeping = null;
  return outcome;
}

function touched() {
  scratch.dirty = true;
  clearTimeout(scratch.timer);
  scratch.timer = setTimeout(keep, WAIT_TO_KEEP);
}

/* Leaving --------------------------------------------------------------------------------------------------- */
/** The form is sent once what was typed is safe, so that neither a dead line nor an ended session takes it along. */
async function saving(event) {
  if (scratch.leaving) return event.preventDefault();
  if (!scratch.dirty && !scratch.keeping) {
    scratch.leaving = true;
    return undefined;
  }
  event.preventDefault();
  const outcome = await keep();
  if (outcome === "signed out" || outcome === "lost") return document.getElementById("scratch-state").scrollIntoView({ block: "nearest" });
  scratch.leaving = true;
  return scratch.form.submit();
}

function leavePage() {
  if (!scratch.dirty || scratch.leaving || scratch.failed) return;
  const body = typedNow();
  if (body.toString().length < 60_000) send(body, true).catch(() => null); // as much as a browser sends after a page has gone
}

/** What this tab kept when the session had ended becomes the scratch now, and the page shows it. */
async function restore() {
  const stashed = sessionStorage.getItem(stashName());
  if (!stashed) return;
  const answer = await send(new URLSearchParams(stashed)).catch(() => null);
  if (!answer?.ok) return sayScratch("What you typed is waiting in this tab.", "tone-warn", "Load it again");
  sessionStorage.removeItem(stashName());
  scratch.leaving = true;
  location.replace(formAddress());
}

/* Listening ------------------------------------------------------------------------------------------------- */
function beginScratch(form) {
  scratch.form = form;
  form.addEventListener("input", touched);
  form.addEventListener("submit", saving);
  window.addEventListener("online", () => { if (scratch.dirty) keep(); });
  window.addEventListener("pagehide", leavePage);
  window.addEventListener("pageshow", (event) => { if (event.persisted) scratch.leaving = false; });
  window.addEventListener("beforeunload", (event) => { if (scratch.dirty && scratch.failed && !scratch.leaving) event.preventDefault(); });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s" || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    form.requestSubmit();
  });
  restore();
}

document.addEventListener("DOMContentLoaded", () => all("form[data-scratch]").forEach(beginScratch));
