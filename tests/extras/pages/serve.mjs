// Drives the page of `ppcls serve` in Chromium, narrow and wide, light and dark, and prints what it shows as JSON.
//   node serve.mjs CHROMIUM FOLDER_OF_SCREENSHOTS ADDRESS PICTURE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";

const [executablePath, folder, address, ...pictures] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const problems = [];
const seen = [];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const [width, height] of [[360, 740], [1280, 900]]) {
  for (const colorScheme of ["light", "dark"]) {
    const where = `serve-${width}-${colorScheme}`;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const page = await context.newPage();
    const report = (kind, text) => problems.push({ where, kind, text });
    page.on("pageerror", (error) => report("error", String(error)));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${address}/`) && !/^(blob|data):/.test(url)) report("request", url);
    });
    await page.goto(address);
    await page.waitForFunction(() => document.querySelectorAll("#model option").length > 0);
    await page.setInputFiles("#files", pictures);
    await page.waitForFunction((count) => document.querySelectorAll("article li:last-child, article .error").length === count, pictures.length, { timeout: 120000 });
    const shown = await page.evaluate(() => ({
      models: [...document.querySelectorAll("#model option")].map((option) => option.value),
      curl: document.querySelector("#curl").textContent,
      cards: [...document.querySelectorAll("article")].map((card) => ({
        name: card.querySelector("h2").textContent,
        facts: card.querySelector(".facts")?.textContent,
        button: card.querySelector("button")?.textContent ?? null,
        error: card.querySelector(".error")?.textContent,
        labels: [...card.querySelectorAll(".label span:first-child")].map((each) => each.textContent),
        bars: [...card.querySelectorAll(".track div")].map((each) => each.getBoundingClientRect().width / each.parentElement.getBoundingClientRect().width),
      })),
    }));
    await page.click("article button");
    await page.waitForFunction(() => document.querySelector("article img[src^='data:image/png']")?.complete, null, { timeout: 120000 });
    shown.map = await page.evaluate(() => {
      const image = document.querySelector("article img[src^='data:image/png']");
      return { alt: image.alt, width: image.naturalWidth, text: document.querySelector(".map .facts").textContent };
    });
    seen.push(shown);
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (excess > 0) report("width", `${excess} pixels wider than the window`);
    await page.screenshot({ path: path.join(folder, `${where}.png`), fullPage: true });
    // The page's own policy forbids the script of axe, which Chromium evaluates outside of it
    const found = await page.evaluate(`${axe}; window.axe.run({ runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] } })`);
    for (const violation of found.violations) report("axe", `${violation.id}: ${violation.nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`);
    await context.close();
  }
}
await browser.close();
console.log(JSON.stringify({ problems, seen }));
