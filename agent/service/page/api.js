// Asking the box: JSON both ways, the session's token with each change, one place where an answer becomes an error.

let token = "";
let touched = false;
let lost = () => {};

for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => (touched = true), { capture: true });

/** What was refused: `word` is the name of the sentence, `more` what it needs. */
export class Refused extends Error {
  constructor(word, more) {
    super(word);
    this.word = word;
    this.more = more;
  }
}

/** Call this when the session is over, and say whether its PIN is spent. */
export function onLost(call) {
  lost = call;
}

/** Who is in; keeps the token. */
export async function presence() {
  const told = await answer(await reached("/api/door"));
  token = told.token ?? "";
  return told;
}

/** Come in. */
export async function enter(pin) {
  const told = await answer(await reached("/api/door", posted({ pin })));
  token = told.token;
  return told;
}

/** Out, for good: the PIN is spent. */
export async function leave() {
  await answer(await reached("/api/leave", posted({})));
  token = "";
  lost(true);
}

/** Something to look at. */
export const tell = (name) => get(`/api/tell/${name}`);

/** A job's lines from this one on. */
export const follow = (job, from) => get(`/api/job/${job}?from=${from}`);

/** Something to be done. */
export const act = async (name, asked = {}) => answer(await reached(`/api/do/${name}`, posted(asked)));

/** A bundle, as it is; with a VIN where only a person knows it. */
export const bring = async (file, vin) => answer(await reached(`/api/bundle?vin=${encodeURIComponent(vin)}`,
  { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream", "X-Tbox-Token": token } }));

async function get(path) {
  const headers = touched ? { "X-Tbox-Touched": "1" } : {};
  touched = false;
  return answer(await reached(path, { headers }));
}

function posted(asked) {
  return { method: "POST", body: JSON.stringify(asked), headers: { "Content-Type": "application/json", "X-Tbox-Token": token } };
}

async function reached(path, options) {
  try {
    return await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Refused("error.away", {});
  }
}

async function answer(response) {
  const told = await response.json().catch(() => ({ error: "ours" }));
  if (response.ok) return told;
  const refused = new Refused(`error.${told.error}`, told);
  if (told.error === "session") lost(false);
  throw refused;
}
