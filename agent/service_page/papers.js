// Papers: the code that ties the box to its owner, and the install certificate, filled in by a technician.

import { act, tell } from "./api.js";
import { busy, fill, h, icon, say, state } from "./dom.js";
import { reason } from "./main.js";
import { t } from "./words.js";

const PHOTO_BYTES_MAX = 40_000_000;
let slots = null;
let photo = null;

export function show(view, newest) {
  slots = { pair: h("div", { class: "card" }), install: h("div", { class: "card" }) };
  photo = null;
  fill(view, h("h1", { tabindex: -1 }, t("papers.title")), h("p", { class: "lead" }, t("papers.lead")),
    h("h2", {}, t("pair.title")), slots.pair, h("h2", {}, t("install.title")), slots.install);
  offer();
  form(newest?.vin ?? "");
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

function form(vin) {
  const told = (name) => localStorage.getItem(name) ?? "";
  const hand = h("input", { type: "checkbox", id: "by_hand", name: "by_hand", checked: !vin });
  const input = field("vin", { value: vin, maxlength: 17, autocapitalize: "characters", spellcheck: "false", readonly: Boolean(vin), class: "code" });
  hand.addEventListener("change", () => { input.readOnly = !hand.checked; if (hand.checked) input.focus(); else input.value = vin; });
  fill(slots.install, h("form", { id: "install", novalidate: true, onsubmit: send },
    label("technician"), field("technician", { value: told("technician"), autocomplete: "name", maxlength: 64 }),
    label("plate"), field("plate", { maxlength: 16, autocapitalize: "characters", spellcheck: "false" }),
    label("vin"), input, h("p", { class: "hint", id: "vin-hint" }, t(vin ? "install.vin.read" : "install.vin.unread")),
    h("label", { class: "tick", for: "by_hand" }, hand, t("install.by_hand")),
    label("odometer"), field("odometer_km", { inputmode: "decimal", maxlength: 9 }),
    label("photo"), h("div", {}, h("label", { class: "button wide", for: "photo" }, icon("papers"), h("span", { id: "photo-name" }, t("install.photo.choose"))),
      h("input", { type: "file", id: "photo", class: "unseen", accept: "image/*", onchange: hash }), h("p", { class: "hint" }, t("install.photo.hint"))),
    h("div", { id: "install-problem", role: "alert" }),
    h("div", { class: "hands" }, h("button", { class: "go", type: "submit" }, t("install.go")))));
}

const label = (name) => h("label", { for: { odometer: "odometer_km" }[name] ?? name, class: "label" }, t(`install.${name}`));

const field = (name, more) => h("input", { type: "text", id: name, name, "aria-describedby": `${name === "vin" ? "vin-hint " : ""}install-problem`, ...more });

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
    by_hand: told.by_hand === "on", odometer_km: told.odometer_km.replace(",", ".").trim(), photo: photo ?? "" };
  localStorage.setItem("technician", asked.technician);
  const button = event.target.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    done(asked, (await act("install", asked)).words);
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

function done(asked, words) {
  fill(slots.install, state("good", t("install.done"), h("p", {}, t("install.done.line", asked.plate, asked.vin)), h("p", { class: "soft small" }, words)),
    h("div", { class: "hands" },
      h("a", { class: "button go", href: "/paper/install/0", target: "_blank", rel: "noopener" }, icon("papers"), t("install.print")),
      h("button", { type: "button", onclick: () => form("") }, t("install.next"))));
  say(t("install.done"));
}
