// A job of the box, followed line by line until it ends; a page that was loaded anew goes on where it is.

import { act, follow } from "./api.js";

const LOOK_MS = 400;

/** Call `line` with each object it says; resolves to {code, error} when it has ended. */
export async function watch(job, line) {
  let from = 0;
  for (;;) {
    const told = await patiently(() => follow(job, from));
    told.lines.forEach(line);
    from = told.next;
    if (told.code !== null && !told.lines.length) return { code: told.code, error: told.error };
    if (told.code === null) await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

/** End what runs. */
export const stop = () => act("stop");

async function patiently(ask, tries = 20) {
  for (let left = tries; ; left -= 1) {
    try {
      return await ask();
    } catch (why) {
      if (why.word !== "error.away" || left === 0) throw why;
      await new Promise((done) => setTimeout(done, 2 * LOOK_MS));
    }
  }
}
