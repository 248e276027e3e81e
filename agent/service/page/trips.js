// The trips that are on this box, each with its report.

import { tell } from "./api.js";
import { busy, chip, figure, fill, h, icon, state } from "./dom.js";
import { has, reason, spoken, t } from "./words.js";

let slot = null;

export function show(view) {
  slot = h("div", { id: "trips" }, busy(t("trips.looking")));
  fill(view, h("h1", { tabindex: -1 }, t("trips.title")), h("p", { class: "lead" }, t("trips.lead")), slot);
  look();
}

async function look() {
  try {
    const { trips } = await tell("trips");
    fill(slot, trips.length ? h("ul", { class: "list plain" }, trips.map(row)) : state("none", t("trips.none"), h("p", {}, t("trips.none.line"))));
  } catch (why) {
    fill(slot, state("note", t("trips.none"), h("p", {}, reason(why))));
  }
}

function row(trip) {
  const minutes = trip.end_us === null ? null : (trip.end_us - trip.start_us) / 6e7;
  const way = trip.distance_m === null ? "–" : `${figure(trip.distance_m / 1000, 1)} km`;
  const ended = trip.end_us === null ? t("trips.open") : t(has(`end.${trip.end_reason}`) ? `end.${trip.end_reason}` : "end.other");
  const told = [h("div", {}, h("strong", {}, when(trip)), h("p", { class: "soft" },
    `${way} · ${figure(minutes)} min · ${t("trips.events", trip.events)}`), h("p", { class: "soft small" }, ended, " ",
    chip(trip.delivered ? "good" : "none", t(trip.delivered ? "trips.delivered" : "trips.waiting"))))];
  if (trip.end_us === null) return h("li", {}, h("div", { class: "trip" }, told));
  return h("li", {}, h("a", { class: "trip", href: `/paper/trip/${trip.trip}`, target: "_blank", rel: "noopener" }, told,
    h("span", { class: "go-on" }, t("trips.report"), icon("on"))));
}

function when(trip) {
  if (!trip.start_utc) return t("trips.undated", trip.trip);
  return new Date(trip.start_utc).toLocaleString(spoken() === "zh" ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "short" });
}
