// A situation of the yard, each on a screen of its own: what is seen, what to do step by step, and the way on.

import { fill, h, icon, state } from "./dom.js";
import { keep } from "./live.js";
import { has, t } from "./words.js";

const STEPS_MAX = 5;
const ON = { no_bus_set: "flash", no_vin: "papers", no_signal: "check", ready: "check" };
let seen = "";

export function show(view, name, newest) {
  seen = name;
  if (!has(`situation.${name}.title`)) return fill(view, h("h1", { tabindex: -1 }, t("error.missing")));
  const steps = Array.from({ length: STEPS_MAX }, (_, at) => `situation.${name}.step${at + 1}`).filter(has);
  const onward = ON[name];
  fill(view, h("p", {}, h("a", { class: "button", href: "#live" }, icon("back"), t("back"))),
    h("div", { id: "situation" }, banner(name, newest)),
    h("div", { class: "card" }, h("h2", {}, t("situation.do")), h("ol", { class: "steps" }, steps.map((step) => h("li", {}, h("span", {}, t(step)))))),
    h("div", { class: "hands" },
      onward ? h("a", { class: "button go", href: `#${onward}` }, t(`situation.${name}.on`)) : null,
      h("a", { class: onward ? "button" : "button go", href: "#check" }, icon("check"), t("situation.check"))));
}

export function update(view, newest) {
  const slot = view.querySelector("#situation");
  if (slot) keep(slot, [seen, newest.situations], () => banner(seen, newest));
}

/** Still so, or over: it is looked at every second. */
function banner(name, newest) {
  const now = newest?.situations.find((situation) => situation.name === name);
  const title = (words) => h("h1", { tabindex: -1 }, words);
  if (newest && !now && name !== "ready") {
    return h("div", { role: "status" }, state("good", title(t("situation.over")), h("p", {}, t("situation.over.line"))));
  }
  return state(now?.colour ?? "none", title(t(`situation.${name}.title`)), h("p", {}, t(`situation.${name}.line`)),
    h("p", { class: "soft small" }, t("situation.watching")));
}
