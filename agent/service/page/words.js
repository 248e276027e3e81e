// What the page says, in the language of whoever looks: one table, static/words.json. Sentences of the box's own
// commands are English; those the table knows are said in the other language, with their numbers in place.

let table = {};
let phrases = [];
let language = "en";

export const LANGUAGES = { en: "English", zh: "简体中文" };

/** Fetch the table; the browser's language, unless another was chosen here before. */
export async function load() {
  const told = await (await fetch("/static/words.json")).json();
  table = told.words;
  phrases = [...told.phrases].sort(([one], [other]) => said(other) - said(one)).map(([en, zh]) => ({ pattern: pattern(en), zh }));
  const chosen = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  speak(chosen in LANGUAGES ? chosen : "en");
}

/** Speak this language from now on. */
export function speak(chosen) {
  language = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  localStorage.setItem("language", chosen);
}

export const spoken = () => language;

/** A text by its name, with {0}, {1} filled in; the name itself where there is none. */
export function t(name, ...words) {
  const text = table[name]?.[language] ?? name;
  return text.replace(/\{(\d)\}/g, (_, at) => words[at] ?? "");
}

/** Whether there is a text of this name. */
export const has = (name) => name in table;

/** What the sentence for an error of api.js is. */
export function reason(why) {
  const name = why.word ?? "error.ours";
  const words = t(has(name) ? name : "error.ours", why.more?.left, Math.ceil(why.more?.wait_s ?? 0));
  return why.more?.text ? `${words} ${phrase(why.more.text)}` : words;
}

/** A sentence of the box's: as a whole, else part by part; a part nobody translated stays as it is. */
export function phrase(words) {
  if (language === "en" || !words) return words;
  return translated(words) ?? parts(words, "; ", "；", (part) => translated(part) ?? parts(part, ", ", "，", (one) => translated(one) ?? one));
}

const parts = (words, by, joint, each) => words.split(by).map(each).join(joint);

function translated(words) {
  for (const { pattern: known, zh } of phrases) {
    const found = known.exec(words);
    if (found) return zh.replace(/\{(\d)\}/g, (_, at) => translated(found[Number(at) + 1]) ?? found[Number(at) + 1]);
  }
  return null;
}

/** How much a phrase says itself: of two that fit, the one with the smaller holes is meant. */
const said = (en) => en.replace(/\{\d\}/g, "").length;

function pattern(en) {
  const parts = en.split(/\{\d\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("(.+?)")}$`);
}
