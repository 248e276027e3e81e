// What the box says of itself, for whoever has to find out: its last words, counters and settings. No secret is in it.

import { leave, tell } from "./api.js";
import { busy, fill, h, icon, state } from "./dom.js";
import { has, reason, t } from "./words.js";

let slot = null;

export function show(view) {
  slot = h("div", { id: "logs" }, busy(t("logs.looking")));
  fill(view, h("h1", { tabindex: -1 }, t("logs.title")), h("p", { class: "lead" }, t("logs.lead")), slot,
    h("h2", {}, t("logs.session")), h("div", { class: "hands" }, h("button", { type: "button", onclick: leave }, icon("lock"), t("logs.leave"))));
  look();
}

async function look() {
  try {
    const { diag } = await tell("logs");
    const { log, ...rest } = diag;
    fill(slot, h("div", { class: "hands" },
      h("button", { type: "button", class: "go", onclick: () => save(diag) }, icon("flash"), t("logs.save")),
      h("button", { type: "button", onclick: look }, t("logs.again"))),
    h("h2", {}, t("logs.words")), text((log ?? []).join("\n") || t("logs.silent"), t("logs.words")),
    ...Object.entries(rest).filter(([, told]) => told?.length !== 0).map(part));
    for (const shown of slot.querySelectorAll("pre")) shown.scrollTop = shown.scrollHeight;
  } catch (why) {
    fill(slot, state("note", t("logs.none"), h("p", {}, reason(why))));
  }
}

function part([name, told]) {
  const title = has(`part.${name}`) ? t(`part.${name}`) : name;
  return h("details", {}, h("summary", { class: "button wide" }, title), text(JSON.stringify(told, null, 1), title));
}

const text = (words, label) => h("pre", { tabindex: 0, role: "region", "aria-label": label }, words);

function save(diag) {
  const file = new Blob([JSON.stringify(diag, null, 1)], { type: "application/json" });
  const link = h("a", { href: URL.createObjectURL(file), download: `tbox-diag-${Date.now()}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
