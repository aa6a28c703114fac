// tsc as a test: of the public types, and of every snippet that the READMEs show.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const WASM = fileURLToPath(new URL("..", import.meta.url));
const READMES = [join(WASM, "README.md"), join(WASM, "..", "README.md")];
const run = promisify(execFile);

let folder: string;
// There, so that snippets find other packages.
beforeAll(() => void (folder = mkdtempSync(join(WASM, "node_modules", ".types-"))));
afterAll(() => rmSync(folder, { recursive: true }));

/** Compile files as a user would, who imports the package by its name; gives what tsc says. */
async function compile(name: string, files: string[]): Promise<string> {
  const config = {
    extends: join(WASM, "tsconfig.json"),
    compilerOptions: {
      paths: { "@remotemedia/web": [join(WASM, "src/index.ts")] },
      moduleDetection: "force",
      skipLibCheck: true,
    },
    files,
    include: [],
  };
  const project = join(folder, `${name}.json`);
  writeFileSync(project, JSON.stringify(config));
  const tsc = join(WASM, "node_modules/typescript/bin/tsc");
  return run(process.execPath, [tsc, "-p", project, "--noEmit"]).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout || String(error),
  );
}

test("the public types", async () => {
  expect(await compile("public", [join(WASM, "test/types.test-d.ts")])).toBe("");
});

test("the snippets of the READMEs", async () => {
  const files: string[] = [];
  for (const [readme, path] of READMES.entries()) {
    for (const [, snippet] of readFileSync(path, "utf8").matchAll(/^```ts\n(.*?)^```/gms)) {
      const file = join(folder, `${readme}-${files.length}.ts`);
      writeFileSync(file, snippet!);
      files.push(file);
    }
  }
  expect(files.length).toBeGreaterThanOrEqual(7);
  expect(await compile("readme", files)).toBe("");
});

test("a snippet that is wrong is found", async () => {
  const file = join(folder, "wrong.ts");
  writeFileSync(file, 'import { Pipeline } from "@remotemedia/web";\nawait Pipeline.load({}, { pyodideURL: "/" });\n');
  expect(await compile("wrong", [file])).toMatch(/wrong\.ts\(2,27\): error TS2561: .*pyodideURL/);
});
