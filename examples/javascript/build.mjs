// Makes a component of hello.js. The interfaces of WASI come with jco, which componentize-js brings along; they are the same
// in all versions of 0.2, and the engine asks for this one.
import { componentize } from "@bytecodealliance/componentize-js";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";

const ENGINE = "0.2.10";
const INTERFACES = new URL("node_modules/@bytecodealliance/jco/lib/wit/builtin/0.2.12/", import.meta.url);

await rm("build", { recursive: true, force: true });
for (const name of await readdir(INTERFACES)) {
  const text = await readFile(new URL(`${name}/package.wit`, INTERFACES), "utf8");
  await mkdir(`build/wit/deps/${name}`, { recursive: true });
  await writeFile(`build/wit/deps/${name}/package.wit`, text.replaceAll("0.2.12", ENGINE));
}
const world = `package example:hello;\nworld hello { export wasi:http/incoming-handler@${ENGINE}; }\n`;
await writeFile("build/wit/world.wit", world);

const { component } = await componentize({ sourcePath: "hello.js", witPath: "build/wit", worldName: "hello" });
await writeFile("build/hello.wasm", component);
