// What the car says now: signals with little plots, buses with their load, and how far the installation is.

import { chip, figure, fill, h, icon, spark, state } from "./dom.js";
import { has, spoken, t } from "./words.js";

const KEPT = 60;
const SHOWN = { "m/s": [3.6, "km/h", 0], m: [0.001, "km", 0], "1/min": [1, "1/min", 0], V: [1, "V", 1], degC: [1, "°C", 0],
  "%": [1, "%", 0], "m/s2": [1, "m/s²", 2], "rad/s": [57.29578, "°/s", 1], deg: [1, "°", 0] };
const past = new Map();
const drawn = new WeakMap();
let parts = null;

/** Draw anew only what changed: what has the focus keeps it. */
export function keep(element, told, make) {
  const key = JSON.stringify([told, spoken()]);
  if (drawn.get(element) === key) return;
  drawn.set(element, key);
  fill(element, make());
}

/** Remember the newest values, for the plots. */
export function note(newest) {
  for (const { name, value } of newest.signals) {
    const values = past.get(name) ?? past.set(name, []).get(name);
    values.push(value);
    if (values.length > KEPT) values.shift();
  }
}

/** Nothing is heard from the box: the plots get a hole. */
export function away() {
  for (const values of past.values()) values.push(null);
}

export function show(view, newest) {
  parts = Object.fromEntries(["way", "state", "signals", "buses", "box"].map((name) => [name, h("div", { class: "part" })]));
  fill(view, h("h1", { tabindex: -1 }, t("live.title")), h("p", { class: "lead" }, t("live.lead")), parts.way, parts.state,
    h("h2", {}, t("live.signals")), parts.signals, h("h2", {}, t("live.buses")), parts.buses, h("h2", {}, t("live.box")), parts.box);
  if (newest) update(view, newest);
}

export function update(_view, newest) {
  keep(parts.way, newest.way, () => way(newest.way));
  keep(parts.state, newest.situations, () => banner(newest.situations));
  keep(parts.signals, [newest.signals, Date.now()], () => tiles(newest.signals));
  keep(parts.buses, newest.buses, () => buses(newest.buses));
  keep(parts.box, [newest.who, newest.vin, newest.link, newest.gnss], () => box(newest));
}

/** From a bare box to a proven installation: what is done, what is next. */
function way(steps) {
  const next = steps.find((step) => !step.done);
  return h("nav", { "aria-label": t("way") }, h("ol", { class: "way" }, steps.map((step, at) =>
    h("li", { class: step.done ? "done" : step === next ? "next" : "" },
      h("a", { href: `#${step.place}`, "aria-current": step === next ? "step" : null },
        h("span", { class: "at" }, step.done ? icon("good") : `${at + 1}`), t(`way.${step.name}`),
        h("span", { class: "unseen" }, step.done ? t("way.done") : ""))))));
}

function banner([first, ...rest]) {
  const more = rest.map(({ name, colour }) => h("p", {}, h("a", { href: `#live/${name}` }, chip(colour, t(`situation.${name}.title`)))));
  const hands = first.name === "ready" ? [] : [h("div", { class: "hands" },
    h("a", { class: "button", href: `#live/${first.name}` }, t("situation.what"), icon("on")))];
  return state(first.colour, t(`situation.${first.name}.title`), h("p", {}, t(`situation.${first.name}.line`)), ...hands,
    more.length ? h("div", { class: "more" }, more) : null);
}

function tiles(signals) {
  if (!signals.length) return h("p", { class: "card soft" }, t("live.nothing"));
  return h("dl", { class: "tiles" }, signals.map(({ name, unit, value }) => {
    const [scale, shown, digits] = SHOWN[unit] ?? [1, "", 0];
    return h("div", { id: `signal-${name}` }, h("dt", {}, t(has(`signal.${name}`) ? `signal.${name}` : name)),
      h("dd", {}, h("span", { class: value === null ? "figure void" : "figure" },
        figure(value === null ? null : value * scale, digits), value === null ? [] : [" ", h("small", {}, shown)]),
      spark(past.get(name) ?? [], KEPT)));
  }));
}

function buses(list) {
  if (!list.length) return h("p", { class: "card soft" }, t("bus.none"));
  return list.map((bus) => h("div", { class: "card bus" },
    h("div", { class: "row" }, h("h3", {}, bus.name), h("span", { class: "end" }, chip(bus.colour, t(`bus.${bus.state}`)))),
    bus.load_pct === null || bus.load_pct === undefined ? null : load(bus),
    h("dl", { class: "facts" },
      fact(t("bus.rate"), `${figure(bus.frames_per_s)} ${t("bus.per_s")}`),
      bus.bitrate ? fact(t("bus.bitrate"), `${figure(bus.bitrate / 1000)} kbit/s`) : null,
      fact(t("bus.errors"), `${figure(bus.errors)} / ${figure(bus.dropped)}`))));
}

function load(bus) {
  const width = Math.min(100, Math.max(1, bus.load_pct));
  const bar = h("i");
  bar.style.width = `${width}%`;
  return h("div", {}, h("div", { class: "meter", role: "meter", "aria-label": t("bus.load"), "aria-valuemin": 0, "aria-valuemax": 100,
    "aria-valuenow": bus.load_pct, "aria-valuetext": `${figure(bus.load_pct)} %` }, bar),
  h("p", { class: "small soft" }, `${t("bus.load")} ${figure(bus.load_pct)} %`));
}

function box({ who, vin, link, gnss }) {
  const sats = gnss?.is_there === null || gnss?.is_there === undefined ? t("gnss.none")
    : gnss.is_there ? `${figure(gnss.sats)} ${t("gnss.sats")}` : t("gnss.gone");
  return h("dl", { class: "facts card" },
    fact(t("box.vin"), vin ? h("span", { class: "id" }, vin) : t("box.vin.none")), fact(t("box.map"), who.vehicle ?? "–"),
    fact(t("box.link"), link ? [h("div", {}, chip(link.state === "up" ? "good" : "note", t(`link.${link.state}`))),
      h("div", { class: "soft small" }, t("box.waiting", figure(link.waiting)))] : "–"),
    fact(t("box.gnss"), sats), fact(t("box.device"), who.name || who.device || "–"), fact(t("box.software"), who.software ?? "–"));
}

const fact = (name, told) => [h("dt", {}, name), h("dd", {}, told)];
