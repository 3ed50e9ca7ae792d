// Opens pages in Chromium, narrow and wide, light and dark, and prints what is wrong with them as JSON.
//   node look.mjs CHROMIUM FOLDER_OF_SCREENSHOTS PAGE.html...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, folder, ...pages] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const problems = [];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const file of pages) {
  for (const width of [360, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      const where = `${path.basename(path.dirname(file))}-${path.basename(file, ".html")}-${width}-${colorScheme}`;
      // The page's own policy forbids the script of axe as it forbids any other
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
      const page = await context.newPage();
      const report = (kind, text) => problems.push({ where, kind, text });
      page.on("console", (message) => message.type() === "error" && report("console", message.text()));
      page.on("pageerror", (error) => report("error", String(error)));
      page.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) report("request", request.url());
      });
      await page.goto(pathToFileURL(file).href);
      await page.evaluate(axe);
      const found = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), LEVELS);
      for (const violation of found.violations)
        report("axe", `${violation.id}: ${violation.nodes.map((node) => node.html.slice(0, 200)).slice(0, 3).join(" | ")}`);
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (excess > 0) report("width", `${excess} pixels wider than the window`);
      await page.screenshot({ path: path.join(folder, `${where}.png`), fullPage: true });
      await context.close();
    }
  }
}
await browser.close();
console.log(JSON.stringify(problems));
