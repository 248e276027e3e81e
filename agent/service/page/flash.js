// A configuration on its way into the box: brought, looked at with its difference, confirmed, tried, in force or taken back.

import { act, bring, tell } from "./api.js";
import { row } from "./check.js";
import { busy, fill, h, icon, say, state } from "./dom.js";
import { watch, stop } from "./jobs.js";
import { keep } from "./live.js";
import { has, phrase, reason, t } from "./words.js";

const BYTES_MAX = 4 << 20;
const GOOD = ["running", "unchanged", "would_run", "rolled_back"];
let slot = null;
let force = null;
let now = fresh();
let heardVin = "";
let typedVin = "";

function fresh() {
  return { phase: "choose", name: "", digest: "", changes: [], checks: [], words: "", share: null, outcome: null, problem: "", is: "" };
}

export function show(view, newest) {
  slot = h("div", { id: "flashing" });
  force = h("div", {});
  fill(view, h("h1", { tabindex: -1 }, t("flash.title")), h("p", { class: "lead" }, t("flash.lead")), slot,
    h("h2", {}, t("flash.now")), h("div", { class: "card", id: "force" }, force, h("div", { class: "hands" },
      h("button", { type: "button", id: "rollback", onclick: askRollback }, icon("back"), t("flash.rollback")))));
  update(view, newest);
  draw();
  if (now.phase === "choose") resume();
}

/** What is in force changes under the page; a car tells its VIN when its engine runs. */
export function update(_view, newest) {
  const before = heardVin;
  heardVin = newest?.vin ?? "";
  keep(force, newest?.who?.reported, () => inForce(newest?.who?.reported));
  if (heardVin !== before && now.phase === "choose") draw();
}

function inForce(reported) {
  if (!reported?.bundle) return h("p", {}, t("flash.none"));
  return h("p", {}, h("strong", {}, `${reported.bundle} ${reported.version}`), " · ", t(`slot.${reported.state}`));
}

async function resume() {
  const told = await tell("state").catch(() => null);
  if (!told || now.phase !== "choose") return;
  for (const [name, phase] of [["flash", "install"], ["rollback", "install"], ["judge", "judge"]]) {
    const job = told.jobs[name];
    if (job && job.code === null) return follow(job.job, phase, told.digest);
  }
}

async function take(file) {
  now = { ...fresh(), phase: "bring", name: file.name };
  draw();
  if (file.size > BYTES_MAX) return fail(t("error.too_big"));
  try {
    const { job, digest } = await bring(file, heardVin ? "" : typedVin);
    await follow(job, "judge", digest);
  } catch (why) {
    fail(reason(why));
  }
}

async function confirm() {
  try {
    await follow((await act("flash", { digest: now.digest })).job, "install", now.digest);
  } catch (why) {
    fail(reason(why));
  }
}

async function askRollback() {
  const box = h("dialog", { "aria-labelledby": "sure" }, h("h2", { id: "sure" }, t("flash.rollback.sure")), h("p", {}, t("flash.rollback.line")),
    h("form", { method: "dialog", class: "hands" }, h("button", { value: "" }, t("flash.no")), h("button", { class: "go", value: "yes" }, t("flash.rollback"))));
  document.body.append(box);
  box.addEventListener("close", async () => {
    box.remove();
    if (box.returnValue !== "yes") return;
    try {
      now = { ...fresh(), phase: "install" };
      await follow((await act("rollback")).job, "install", "");
    } catch (why) {
      fail(reason(why));
    }
  });
  box.showModal();
}

async function follow(job, phase, digest) {
  now = { ...now, phase, digest, checks: [], words: "", share: null, outcome: null, problem: "" };
  if (phase === "judge") now.changes = [];
  draw();
  const mine = now;
  const told = await watch(job, (line) => { heard(mine, line); if (now === mine) draw(); });
  if (now !== mine) return;
  now.phase = "end";
  if (!now.outcome) now.problem = plain(told.error) || t("error.ours");
  say(ended());
  draw();
}

function heard(flashing, line) {
  if (line.change) flashing.changes.push(line.change);
  if (line.check) flashing.checks.push(line.check);
  if (line.words) flashing.words = line.words;
  if (line.step === "difference" && line.words) flashing.is = line.words;
  if (line.share !== undefined) flashing.share = line.share;
  if (line.outcome) flashing.outcome = line.outcome;
}

/** The box's own name for what was brought says nothing to anybody. */
const plain = (words) => words.replace(/^\S*brought\.tbx: /, "");

function fail(problem) {
  now = { ...fresh(), phase: "end", name: now.name, problem };
  say(problem);
  draw();
}

function again() {
  now = fresh();
  draw();
}

// ---- what is seen ---------------------------------------------------------------------------------------------------

function draw() {
  if (!slot?.isConnected) return;
  const drawn = { choose, bring: () => busy(t("flash.bringing", now.name)), judge, install, end }[now.phase]();
  const focus = document.activeElement?.id;
  fill(slot, [drawn].flat());
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
}

function choose() {
  const input = h("input", { type: "file", id: "bundle", class: "unseen", accept: ".tbx,application/zip,application/octet-stream",
    onchange: () => input.files[0] && take(input.files[0]) });
  const zone = h("label", { class: "drop", for: "bundle" }, icon("flash"), h("strong", {}, t("flash.choose")), h("span", { class: "soft" }, t("flash.drop")), input);
  for (const kind of ["dragover", "dragleave", "drop"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
    });
  }
  return heardVin ? zone : [zone, h("label", { for: "typed-vin" }, t("flash.vin")), h("input", { type: "text", id: "typed-vin", class: "code",
    maxlength: 17, autocapitalize: "characters", spellcheck: "false", value: typedVin, "aria-describedby": "typed-hint",
    oninput: ({ target }) => (typedVin = target.value.trim()) }), h("p", { class: "hint", id: "typed-hint" }, t("flash.vin.hint"))];
}

/** The difference stands as soon as it is known; the car is tried meanwhile. */
function judge() {
  const verified = now.checks.some((check) => check.name === "content" && check.verdict === "PASS");
  return [h("h2", {}, now.name || t("flash.bundle")), running(), difference(),
    h("div", { class: "hands" }, h("button", { type: "button", id: "no", onclick: refuse }, t("flash.no")),
      verified && (now.changes.length || now.is) ? h("button", { type: "button", id: "go", class: "go", onclick: confirm }, t("flash.go")) : null), list()];
}

function install() {
  return [h("h2", {}, now.name || t("flash.bundle")), running(), h("p", { class: "hint" }, t("flash.safe")), list()];
}

function running() {
  const bar = now.share === null || now.share === undefined ? null : h("i");
  if (!bar) return busy(phrase(now.words) || t("flash.begins"));
  bar.style.width = `${Math.round(100 * now.share)}%`;
  return h("div", {}, h("div", { class: "meter", role: "progressbar", "aria-label": t("flash.trial"), "aria-valuemin": 0, "aria-valuemax": 100,
    "aria-valuenow": Math.round(100 * now.share) }, bar), h("p", { class: "soft" }, phrase(now.words)));
}

function end() {
  const outcome = now.outcome?.state;
  const hands = outcome === "would_run"
    ? [h("button", { type: "button", id: "no", onclick: refuse }, t("flash.no")), h("button", { type: "button", id: "go", class: "go", onclick: confirm }, t("flash.go"))]
    : [h("button", { type: "button", class: "go", id: "again", onclick: again }, t("flash.another"))];
  const colour = GOOD.includes(outcome) ? "good" : outcome === "trial" || outcome === "declined" ? "note" : "bad";
  const name = now.outcome?.reason;
  const why = name && has(`reason.${name}`) ? h("p", {}, t(`reason.${name}`)) : null;
  return [now.name ? h("h2", {}, now.name) : null,
    state(colour, ended(), why, now.outcome ? h("p", { class: why ? "soft small" : "" }, phrase(plain(now.outcome.words))) : null),
    outcome === "would_run" ? difference() : null, h("div", { class: "hands" }, hands), list()];
}

const ended = () => (now.outcome ? t(`outcome.${now.outcome.state}`) : now.problem);

function difference() {
  if (!now.changes.length) return now.is ? h("p", { class: "card" }, phrase(now.is)) : null;
  return h("section", { id: "difference", "aria-label": t("flash.difference") }, h("h2", {}, t("flash.difference")),
    h("ul", { class: "list plain" }, now.changes.map((change) => h("li", {}, h("p", {}, h("strong", { class: "code" }, change.name)),
      h("p", { class: "change" }, h("del", {}, h("span", { class: "unseen" }, `${t("flash.old")} `), change.old), icon("on"),
        h("ins", {}, h("span", { class: "unseen" }, `${t("flash.new")} `), change.new), change.unit ? h("span", { class: "soft" }, change.unit) : null),
      h("p", { class: "soft small" }, `${phrase(change.old_origin)} → ${phrase(change.new_origin)}`)))));
}

function list() {
  const checks = ["FAIL", "PASS", "SKIP"].flatMap((verdict) => now.checks.filter((check) => check.verdict === verdict));
  return checks.length ? [h("h2", {}, t("flash.checks")), h("ul", { class: "list" }, checks.map(row))] : null;
}

async function refuse() {
  now = fresh();
  draw();
  await stop().catch(() => null);
}
