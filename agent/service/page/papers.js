// Papers: the code that ties the box to its owner, and the install certificate, filled in by a technician.

import { act, tell } from "./api.js";
import { busy, chip, figure, fill, h, icon, say, state } from "./dom.js";
import { phrase, reason, t } from "./words.js";

const PHOTO_BYTES_MAX = 40_000_000;
let slots = null;
let photo = null;
let newest = null;

export function show(view, told) {
  newest = told;
  slots = { pair: h("div", { class: "card" }), install: h("div", { class: "card" }) };
  photo = null;
  fill(view, h("h1", { tabindex: -1 }, t("papers.title")), h("p", { class: "lead" }, t("papers.lead")),
    h("h2", {}, t("pair.title")), slots.pair, h("h2", {}, t("install.title")), slots.install);
  offer();
  if (newest?.certificate) certified(newest.certificate);
  else form();
}

/** What the car tells meanwhile goes where nothing was typed. */
export function update(_view, told) {
  newest = told;
  const vin = document.getElementById("vin");
  if (told.vin && vin && !vin.value && document.activeElement !== vin) form(true);
}

// ---- pairing --------------------------------------------------------------------------------------------------------

function offer(problem = "") {
  fill(slots.pair, h("p", {}, t("pair.lead")), h("div", { role: "alert" }, problem ? state("bad", problem) : null),
    h("div", { class: "hands" }, h("button", { type: "button", id: "pair", onclick: pair }, t("pair.go"))));
}

async function pair() {
  fill(slots.pair, busy(t("pair.looking")));
  try {
    const told = await tell("pairing");
    fill(slots.pair, h("img", { class: "qr", src: told.picture, alt: t("pair.qr") }), h("p", {}, t("pair.code")), h("p", { class: "figures" }, told.code),
      h("p", { class: "soft" }, t("pair.hint")),
      h("div", { class: "hands" }, h("button", { type: "button", onclick: pair }, t("pair.again"))));
    say(t("pair.shown"));
  } catch (why) {
    offer(reason(why));
  }
}

// ---- install certificate --------------------------------------------------------------------------------------------

/** `isKept`: what was typed already stays. */
function form(isKept = false) {
  const vin = newest?.vin ?? "";
  const kept = isKept ? Object.fromEntries(new FormData(document.getElementById("install"))) : {};
  const told = (name) => kept[name] ?? localStorage.getItem(name) ?? "";
  const hand = h("input", { type: "checkbox", id: "by_hand", name: "by_hand", checked: !vin });
  const input = field("vin", { value: vin, maxlength: 17, autocapitalize: "characters", spellcheck: "false", readonly: Boolean(vin), class: "code" });
  hand.addEventListener("change", () => { input.readOnly = !hand.checked; if (hand.checked) input.focus(); else input.value = vin; });
  const odometer = km();
  fill(slots.install, h("form", { id: "install", novalidate: true, onsubmit: send },
    label("technician"), field("technician", { value: told("technician"), autocomplete: "name", maxlength: 64 }),
    label("plate"), field("plate", { value: kept.plate ?? "", maxlength: 16, autocapitalize: "characters", spellcheck: "false" }),
    label("vin"), input, h("p", { class: "hint", id: "vin-hint" }, t(vin ? "install.vin.read" : "install.vin.unread")),
    h("label", { class: "tick", for: "by_hand" }, hand, t("install.by_hand")),
    label("odometer"), field("odometer_km", { value: odometer || (kept.odometer_km ?? ""), inputmode: "decimal", maxlength: 9, readonly: Boolean(odometer) }),
    h("p", { class: "hint", id: "odometer_km-hint" }, t(odometer ? "install.odometer.read" : "install.odometer.unread")),
    label("photo"), h("div", {}, h("label", { class: "button wide", for: "photo" }, icon("papers"), h("span", { id: "photo-name" }, t("install.photo.choose"))),
      h("input", { type: "file", id: "photo", class: "unseen", accept: "image/*", onchange: hash }), h("p", { class: "hint" }, t("install.photo.hint"))),
    h("div", { id: "install-problem", role: "alert" }),
    h("div", { class: "hands" }, h("button", { class: "go", type: "submit" }, t("install.go")))));
}

/** The odometer as the car tells it, in km; empty where it does not. */
function km() {
  const told = newest?.signals?.find((signal) => signal.name === "odometer")?.value;
  return told === null || told === undefined ? "" : (told / 1000).toFixed(1);
}

const label = (name) => h("label", { for: { odometer: "odometer_km" }[name] ?? name, class: "label" }, t(`install.${name}`));

const HINTED = ["vin", "odometer_km"];
const field = (name, more) => h("input", { type: "text", id: name, name,
  "aria-describedby": `${HINTED.includes(name) ? `${name}-hint ` : ""}install-problem`, ...more });

/** The photo stays on this phone; only its hash goes into the account. */
async function hash({ target }) {
  const [file] = target.files;
  photo = null;
  if (!file) return;
  const name = document.getElementById("photo-name");
  if (file.size > PHOTO_BYTES_MAX) { name.textContent = t("install.photo.big"); return; }
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  photo = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  name.textContent = `${file.name} · ${photo.slice(0, 8)}`;
}

async function send(event) {
  event.preventDefault();
  const told = Object.fromEntries(new FormData(event.target));
  const asked = { technician: told.technician.trim(), plate: told.plate.trim(), vin: told.vin.trim().toUpperCase(),
    by_hand: told.by_hand === "on", odometer_km: told.odometer_km.replace(",", ".").replace(/\s/g, ""), photo: photo ?? "" };
  localStorage.setItem("technician", asked.technician);
  const button = event.target.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const { certificate, words } = await act("install", asked);
    if (certificate) certified(certificate);
    else fill(slots.install, state("note", t("install.waits"), h("p", {}, phrase(words))));
    say(t(certificate ? "install.done" : "install.waits"));
  } catch (why) {
    button.disabled = false;
    mark(event.target, why);
  }
}

/** What is wrong stands beside the button; the field it is about has the focus. */
function mark(filled, why) {
  for (const input of filled.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  fill(filled.querySelector("#install-problem"), state("bad", reason(why)));
  const wrong = filled.querySelector(`#${why.word.replace("error.bad_", "")}`);
  if (wrong) { wrong.setAttribute("aria-invalid", "true"); wrong.focus(); }
}

/** The certificate that stands in the account. */
function certified(made) {
  const source = (name) => (made[`${name}_source`] === "by_hand" ? [" ", chip("note", t("install.hand"))] : null);
  const km = made.odometer_m === null ? "–" : `${figure(made.odometer_m / 1000, 1)} km`;
  fill(slots.install, state("good", t("install.done"), h("p", {}, t("install.done.line"))),
    h("dl", { class: "facts" }, fact("plate", made.plate || "–"), fact("vin", [h("span", { class: "id" }, made.vin || "–"), source("vin")]),
      fact("odometer.short", [km, source("odometer")]), fact("technician", made.technician), fact("number", made.number)),
    h("div", { class: "hands" },
      h("a", { class: "button go", href: "/paper/install/0", target: "_blank", rel: "noopener" }, icon("papers"), t("install.print")),
      h("button", { type: "button", onclick: () => form() }, t("install.next"))));
}

const fact = (name, told) => [h("dt", {}, t(`install.${name}`)), h("dd", {}, told)];
