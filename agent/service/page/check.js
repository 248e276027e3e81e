// The doctor: is this box well installed? Each check as it is known, with what helps.

import { act, tell } from "./api.js";
import { busy, chip, fill, h, icon, say, state } from "./dom.js";
import { watch, stop } from "./jobs.js";
import { has, phrase, reason, t } from "./words.js";

const COLOURS = { PASS: "good", FAIL: "bad", SKIP: "none" };
let running = null;
let checks = [];
let step = "";
let end = null;
let slot = null;

export function show(view) {
  slot = h("div", { id: "doctor" });
  fill(view, h("h1", { tabindex: -1 }, t("check.title")), h("p", { class: "lead" }, t("check.lead")), slot);
  draw();
  if (!running && !end) resume();
}

/** What fails, but not because of this: a broker out of reach, a clock nobody sets here. */
const isLater = (check) => check.verdict === "FAIL" && check.decides === false;

/** A check as a row of a list. */
export function row(check) {
  const colour = isLater(check) ? "note" : COLOURS[check.verdict] ?? "none";
  return h("li", { class: `verdict-${check.verdict}` }, h("span", { class: `chip ${colour}` }, icon(colour)),
    h("div", {}, h("p", {}, h("span", { class: `word ${colour}` }, t(isLater(check) ? "verdict.later" : `verdict.${check.verdict}`)), h("strong", {}, named(check.name))),
      h("p", { class: "soft" }, phrase(check.words)),
      check.fix ? h("p", { class: "fix" }, h("strong", {}, t("check.fix")), " ", phrase(check.fix)) : null));
}

function named(name) {
  const [first, ...rest] = name.split(" ");
  if (has(`check.${name}`)) return t(`check.${name}`);
  return has(`check.${first}`) ? `${t(`check.${first}`)} ${rest.join(" ")}` : name;
}

async function resume() {
  const told = await tell("state").catch(() => null);
  if (told?.jobs.doctor) follow(told.jobs.doctor.job);
}

async function begin() {
  try {
    follow((await act("doctor")).job);
  } catch (why) {
    end = { problem: reason(why) };
    draw();
  }
}

async function follow(job) {
  running = job;
  checks = [];
  end = null;
  step = "";
  draw();
  try {
    const told = await watch(job, take);
    end = checks.length ? {} : { problem: told.error || t("error.ours") };
  } catch (why) {
    end = { problem: reason(why) };
  }
  running = null;
  say(end.problem ?? summary());
  draw();
}

function take(line) {
  if (line.step) step = line.step;
  if (line.check) checks.push(line.check);
  draw();
}

function draw() {
  if (!slot?.isConnected) return;
  fill(slot, running ? [busy(phrase(step) || t("check.begins")), h("div", { class: "hands" },
    h("button", { type: "button", onclick: () => stop() }, t("stop")))] : null,
  end ? verdict() : null,
  running ? null : h("div", { class: "hands" }, h("button", { type: "button", class: "go", id: "examine", onclick: begin }, icon("check"),
    t(end ? "check.again" : "check.go"))),
  checks.length ? h("ul", { class: "list" }, sorted().map(row)) : null);
}

/** What fails first. */
const sorted = () => ["FAIL", "PASS", "SKIP"].flatMap((verdict) => checks.filter((check) => check.verdict === verdict))
  .sort((one, other) => isBad(other) - isBad(one));

const isBad = (check) => check.verdict === "FAIL" && !isLater(check);

const count = (verdict) => checks.filter((check) => check.verdict === verdict).length;

const summary = () => t("check.summary", count("PASS"), checks.filter(isBad).length, checks.filter(isLater).length, count("SKIP"));

function verdict() {
  if (end.problem) return state("bad", end.problem);
  const [colour, title] = checks.some(isBad) ? ["bad", "check.bad"] : checks.some(isLater) ? ["note", "check.later"] : ["good", "check.good"];
  return state(colour, t(title), h("p", {}, summary()));
}
