#!/usr/bin/env node
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { IotchainError } from "../errors.js";
import { attachFile, verifyFile } from "./evidence.js";
import { printable } from "./input.js";

/** What a signal leaves as exit code, as shells have it. */
const INTERRUPTED = 130;

function program(): Command {
  const itc = new Command("itc").description("Devices, their data and what they earn").version("0.1.0").exitOverride();
  itc.configureHelp({ showGlobalOptions: true });
  itc
    .command("replay")
    .description("play a scenario and leave a report")
    .argument("<scenario>", "a YAML file, see docs/scenarios.md")
    .option("--out <folder>", "where the report goes (default: reports/<scenario's name>)")
    .option(
      "--rpc <url>",
      "a node to play on; without it an embedded EVM. The operator's key is read from ITC_OPERATOR_KEY",
    )
    .option("--seed <number>", "instead of the scenario's own", wholeNumber)
    .action(async (file, options) => (await heavy()).replayFile(file, options));
  itc
    .command("verify")
    .description("check one reading by its evidence, with a node or with the hash of a block alone")
    .argument("[file]", "what the reading is about, where that is a file")
    .requiredOption("--evidence <bundle>", "a file of evidence")
    .option("--rpc <url>", "any node of the chain that the bundle names; it is believed")
    .option("--trust <hash>", "a block that you know to be on the chain; the bundle needs a state proof")
    .option("--headers <file>", "headers from the trusted block down to the bundle's, as hex, one a line")
    .option("--chain <id>", "the trusted block's chain; without it the bundle's own is taken and shown", wholeNumber)
    .option(
      "--deployments <folder>",
      "addresses that itc deploy has left; without it the bundle's own are taken and shown",
    )
    .option("--json", "print the findings as JSON")
    .action(verifyFile);
  itc
    .command("attach")
    .description("add a state proof to a bundle, so that it can be checked without a node")
    .argument("<bundle>", "a file of evidence, which is replaced")
    .requiredOption("--rpc <url>", "a node that has the state; most keep that of the last 128 blocks")
    .option("--block <number>", "the block to prove it by (default: the entry's own, else the latest)", wholeNumber)
    .option("--headers <file>", "also write the headers down from the latest final block, to check the links by")
    .action(attachFile);
  itc
    .command("deploy")
    .description("deploy all contracts, or go on where an earlier run stopped; the key is read from ITC_OPERATOR_KEY")
    .requiredOption("--rpc <url>", "the node")
    .option("--out <folder>", "where addresses and ABIs go, by chain id", "deployments")
    .action(async (options) => (await heavy()).deploy(options));
  watching(itc);
  aggregating(itc);
  return itc;
}

function watching(itc: Command): void {
  itc
    .command("watch")
    .description("check each proposed result and roll, and challenge what is wrong")
    .requiredOption("--rpc <url>", "a node of the chain; it is believed")
    .requiredOption("--addresses <folder>", "addresses that itc deploy has left, by chain id")
    .requiredOption("--data <place>", "a folder or http(s) address with <content>.ndjson")
    .option("--readings <folder>", "files of published readings, to see who is left out and whether partials follow")
    .option("--state <folder>", "where what the readings come to is kept, for one process", "aggregates")
    .option("--key-file <file>", "the private key that challenges and pays deposits")
    .option("--dry-run", "send nothing, say what would be sent")
    .option("--once", "look once, and exit with 1 where something is wrong")
    .option("--every <seconds>", "how long to wait between looks", wholeNumber, 12)
    .option("--from <block>", "the block in which the contracts were deployed", wholeNumber)
    .addOption(
      new Option("--questions <policy>", "which proved partials to question")
        .choices(["none", "sampled", "all"])
        .default("none"),
    )
    .option("--most <itc>", "ITC that may lie in deposits, or go with answers", "0")
    .action(async (options) => (await import("./watch.js")).watch(options));
  const result = itc.command("result").description("look at the data of a result");
  result
    .command("export")
    .description("write the leaves of a result as a table")
    .argument("<file>", "the data of a result")
    .requiredOption("--to <format>", "csv, json or parquet")
    .requiredOption("--out <file>", "where the table goes")
    .action(async (file, options) => (await import("./result.js")).exportResult(file, options));
  result
    .command("check")
    .description("check the data of a result by themselves, without a node; see also itc watch")
    .argument("<file>", "the data of a result")
    .option("--root <hash>", "the digest of the root that they should have")
    .option("--content <hash>", "the SHA-256 that they should have")
    .option("--json", "print the findings as JSON")
    .action(async (file, options) => (await import("./result.js")).checkFile(file, options));
}

function aggregating(itc: Command): void {
  const onChain = (name: string): Command =>
    itc
      .command(name)
      .requiredOption("--rpc <url>", "a node of the chain; it is believed")
      .requiredOption("--addresses <folder>", "addresses that itc deploy has left, by chain id")
      .requiredOption("--readings <folder>", "files of published readings")
      .option("--state <folder>", "where what the readings come to is kept, for one process", "aggregates")
      .option("--from <block>", "the block in which the contracts were deployed", wholeNumber);
  onChain("aggregate")
    .description("build the result of a request from published readings, and propose it if there is a key")
    .argument("<request>", "the id of the request")
    .requiredOption("--data <folder>", "where the result's data go, as <content>.ndjson; publish them")
    .option("--key-file <file>", "the private key that proposes, and puts down the bond; without it nothing is sent")
    .option("--proved <readings>", "most readings of a device that you would lay open if asked", wholeNumber, 100)
    .action(async (request, options) => (await import("./aggregate.js")).aggregate(request, options));
  onChain("answer")
    .description("answer questions about results that were proposed: show leaves, lay readings open")
    .requiredOption("--data <place>", "a folder or http(s) address with <content>.ndjson")
    .option("--key-file <file>", "the private key that sends answers")
    .option("--proposer <address>", "for whom to answer (default: the key's)")
    .option("--dry-run", "send nothing, say what would be sent")
    .option("--once", "look once, and exit with 1 where something is in trouble")
    .option("--every <seconds>", "how long to wait between looks", wholeNumber, 12)
    .action(async (options) => (await import("./aggregate.js")).answer(options));
}

/** What brings an EVM along: who only checks evidence needs none, and doesn't wait for it. */
function heavy(): Promise<typeof import("./commands.js")> {
  return import("./commands.js");
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("Expected a whole number from 0 on.");
  return value;
}

async function main(): Promise<void> {
  try {
    await program().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode;
      return;
    }
    // Somebody's mistake has a code and a way on; anything else is ours, and wants its trace.
    console.error(error instanceof IotchainError ? printable(error.message) : error);
    process.exitCode = 1;
  }
}

process.once("SIGINT", () => process.exit(INTERRUPTED));
await main();
