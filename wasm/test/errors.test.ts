import { expect, test } from "vitest";
import { fromInfo, messageOf, RemoteMediaError } from "../src/errors.ts";

test("an error of the page has a code and nothing that it does not know", () => {
  const error = new RemoteMediaError("no");
  expect(error).toBeInstanceOf(Error);
  expect({ ...error, message: error.message }).toEqual({
    name: "RemoteMediaError", message: "no", code: "error", node: null, port: null, traceback: "", problems: [],
  });
  expect("cause" in error).toBe(false);
  expect(String(error)).toBe("RemoteMediaError: no");
  expect(error.stack).toContain("errors.test.ts");
});

test("a cause is kept", () => {
  const cause = new TypeError("why");
  expect(new RemoteMediaError("no", { code: "load", cause }).cause).toBe(cause);
});

test("what Python raised is rebuilt, with all that it says", () => {
  const problems = [{ message: "unknown key 'nodez'", line: 2, column: 1, path: "nodez" }];
  const info = { code: "manifest", message: "1 problem", node: "vad", port: "audio", traceback: "Traceback …", problems };
  const error = fromInfo(info);
  expect(error).toBeInstanceOf(RemoteMediaError);
  expect(error).toMatchObject(info);
});

test("what to show of anything that was thrown", () => {
  expect([new RangeError("range"), "text", 7, undefined].map(messageOf)).toEqual(["range", "text", "7", "undefined"]);
});
