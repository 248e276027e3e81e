// The page: who is in, which place is shown, the state of the car above it all.

import { enter, onLost, presence, act, tell } from "./api.js";
import { chip, fill, h, icon, say, state } from "./dom.js";
import { LANGUAGES, load, reason, speak, spoken, t } from "./words.js";
import * as live from "./live.js";
import * as check from "./check.js";
import * as flash from "./flash.js";
import * as trips from "./trips.js";
import * as papers from "./papers.js";
import * as logs from "./logs.js";
import * as help from "./help.js";

const PLACES = { live, check, flash, trips, papers, logs };
const LOOK_MS = 1000, ENDING_S = 180;
const view = document.getElementById("view");
const top = document.getElementById("top");
const places = document.getElementById("places");
let newest = null;
let isIn = false;
let isVoid = false;
let problem = "";
let place = "";

function drawTop() {
  const now = newest?.situations[0];
  const other = spoken() === "en" ? "zh" : "en";
  const ends = isIn && newest && newest.left_s < ENDING_S ? Math.ceil(newest.left_s / 60) : 0;
  live.keep(top, [now?.name, ends], () => [h("span", { class: "brand" }, "tbox"),
    now ? chip(now.colour, t(`situation.${now.name}.short`)) : null,
    h("span", { class: "grow" }),
    ends ? h("button", { type: "button", class: "go", onclick: () => act("stay") }, t("top.stay", ends)) : null,
    h("button", { type: "button", id: "language", lang: other === "zh" ? "zh-CN" : "en",
      onclick: () => { speak(other); draw(); document.getElementById("language").focus(); } },
    icon("world"), LANGUAGES[other])]);
}

function drawPlaces() {
  places.hidden = !isIn;
  places.setAttribute("aria-label", t("places"));
  const skip = document.getElementById("skip");
  skip.hidden = !isIn;
  skip.textContent = t("skip");
  skip.onclick = (event) => { event.preventDefault(); (view.querySelector("h1") ?? view).focus(); };
  fill(places, !isIn ? null : h("ul", {}, Object.keys(PLACES).map((name) => h("li", {},
    h("a", { href: `#${name}`, "aria-current": name === place ? "page" : null }, icon(name), h("span", {}, t(`place.${name}`)))))));
}

/** Show the place the address names. */
function draw() {
  document.title = isIn ? `${t(`place.${place}`)} · tbox` : `${t("door.title")} · tbox`;
  drawTop();
  drawPlaces();
  const [, situation] = location.hash.split("/");
  if (!isIn) drawDoor();
  else if (situation) help.show(view, situation, newest);
  else PLACES[place].show(view, newest);
}

function go() {
  const [name] = location.hash.slice(1).split("/");
  place = name in PLACES ? name : "live";
  draw();
  scrollTo(0, 0);
  view.scrollTo(0, 0);
  (view.querySelector("h1") ?? view).focus({ preventScroll: true });
}

/** What the car tells is known before the first place is drawn: forms are filled in from it. */
async function glance() {
  newest = await tell("live").catch(() => null);
}

async function look() {
  if (isIn && !document.hidden) {
    try {
      const before = newest?.situations[0]?.name;
      newest = await tell("live");
      live.note(newest);
      drawTop();
      const now = newest.situations[0].name;
      if (before && now !== before) say(t(`situation.${now}.title`));
      if (location.hash.includes("/")) help.update(view, newest);
      else PLACES[place].update?.(view, newest);
    } catch (why) {
      if (why.word === "error.away") showAway();
    }
  }
  setTimeout(look, LOOK_MS);
}

function showAway() {
  newest = null;
  live.away();
  live.keep(top, "away", () => [h("span", { class: "brand" }, "tbox"), chip("bad", t("error.away.short"))]);
}

// ---- the door -------------------------------------------------------------------------------------------------------

function drawDoor() {
  const input = h("input", { type: "text", id: "pin", class: "pin", inputmode: "numeric", autocomplete: "one-time-code",
    maxlength: 7, "aria-describedby": "pin-hint pin-problem", "aria-invalid": problem ? "true" : null, required: true });
  const form = h("form", { class: "card", onsubmit: (event) => { event.preventDefault(); open(input.value); } },
    h("label", { for: "pin" }, t("door.pin")), input,
    h("p", { class: "hint", id: "pin-hint" }, t("door.hint")),
    h("div", { id: "pin-problem", role: "alert" }, problem ? state("bad", problem) : null),
    h("div", { class: "hands" }, h("button", { class: "go", type: "submit" }, icon("lock"), t("door.open"))));
  const shut = state("bad", t("door.void"), h("p", {}, t("door.void.fix"), " ", h("code", {}, "tbox service --new-pin")),
    h("div", { class: "hands" }, h("button", { type: "button", onclick: () => { isVoid = false; problem = ""; drawDoor(); } }, t("door.again"))));
  fill(view, h("div", { class: "door" }, h("h1", { tabindex: -1 }, t("door.title")), h("p", { class: "lead" }, t("door.lead")),
    isVoid ? h("div", { role: "alert" }, shut) : form, fingerprint()));
  if (!isVoid) input.focus();
}

function fingerprint() {
  const told = sessionStorage.getItem("sha256");
  return told ? h("details", { class: "card" }, h("summary", {}, t("door.pinned")), h("p", { class: "small" }, t("door.compare")),
    h("p", { class: "code small" }, told)) : null;
}

async function open(pin) {
  try {
    await enter(pin);
    isIn = true;
    problem = "";
    await glance();
    if (location.hash) go();
    else location.hash = "#live";
  } catch (why) {
    problem = reason(why);
    isVoid = why.word === "error.pin_void";
    drawDoor();
  }
}

/** The QR carries the certificate's fingerprint and the PIN behind the #: taken, and out of the address at once. */
function scanned() {
  const told = new URLSearchParams(location.hash.slice(1));
  const digest = told.get("sha256");
  if (!digest) return "";
  history.replaceState(null, "", "/");
  const bytes = [...atob(digest.replaceAll("-", "+").replaceAll("_", "/"))].map((letter) => letter.charCodeAt(0));
  sessionStorage.setItem("sha256", bytes.map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":"));
  return told.get("pin") ?? "";
}

async function begin() {
  const pin = scanned();
  await load();
  onLost((isSpent) => { isIn = false; isVoid ||= isSpent; newest = null; draw(); });
  addEventListener("hashchange", go);
  const told = await presence();
  isIn = told.in;
  isVoid = !isIn && told.pin === "void";
  if (isIn) await glance();
  if (isIn) go();
  else draw();
  if (!isIn && pin) await open(pin);
  look();
}

begin();
