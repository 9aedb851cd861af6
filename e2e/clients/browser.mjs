// A real browser, Chromium without a window, and a user who fills in what it shows. Reads a plan as JSON: `at`, which names are where,
// `steps`, what the user does. Writes a line of JSON for each step: the address and the text of the page that it led to,
// and the cookies of that page; for a script of the page, status and text of the answer.
import { readFileSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import chromium, { inflate, setupLambdaEnvironment } from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const plan = JSON.parse(readFileSync(0, "utf8"));

// Of all certificates here only the test's own authority knows them; the names are nobody's.
const args = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--ignore-certificate-errors",
  "--no-first-run",
  "--disable-background-networking",
  `--host-resolver-rules=${Object.entries(plan.at).map(([name, at]) => `MAP ${name}:443 ${at}`).join(",")},MAP * ~NOTFOUND,EXCLUDE 127.0.0.1`,
];

async function launch() {
  const executablePath = await chromium.executablePath();
  const options = { executablePath, args, headless: "shell", timeout: 60_000 };
  try {
    return await puppeteer.launch(options);
  } catch (error) {
    if (!String(error).includes("shared libraries")) throw error;
    // A machine without NSS: the package brings it.
    const own = dirname(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")));
    if (!existsSync(join(tmpdir(), "al2023"))) await inflate(join(own, "bin", "al2023.tar.br"));
    setupLambdaEnvironment(join(tmpdir(), "al2023", "lib"));
    return await puppeteer.launch({ ...options, env: { ...process.env } });
  }
}

const browser = await launch();
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  const leaves = (act) => Promise.all([page.waitForNavigation({ waitUntil: "load" }), act()]);
  for (const step of plan.steps) {
    let answer = {};
    switch (step.do) {
      case "go":
        await page.goto(step.url, { waitUntil: "load" });
        break;
      case "log in":
        await page.type("#username", step.user);
        await page.type("#password", step.password);
        await leaves(() => page.click("#kc-login"));
        break;
      case "press":
        await leaves(() => page.click(`[name="${step.name}"]`));
        break;
      case "post":
        // A script of the page.
        answer = await page.evaluate(async ({ path, headers, body }) => {
          const got = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), redirect: "manual" });
          return { status: got.status, text: await got.text() };
        }, step);
        break;
      default:
        throw new Error(`unknown step: ${step.do}`);
    }
    const text = await page.evaluate(() => document.body.innerText);
    const cookies = (await page.cookies()).map(({ name, httpOnly, secure }) => ({ name, httpOnly, secure }));
    process.stdout.write(`${JSON.stringify({ url: page.url(), text, cookies, ...answer })}\n`);
  }
} finally {
  await browser.close();
}
