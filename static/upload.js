// Large files of the submission form go straight to object storage, in parts that are sent again when the line breaks,
// with a bar that shows how far they are. Choosing the same file again goes on where it stopped. Without this file, or on
// a page without HTTPS, where a browser does not hash, files go with the form and its limit holds.

const largeBytes = 8 * 1024 * 1024;
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

async function call(method, path, body) {
  const answer = await fetch(`/api/v1/uploads${path}`, {
    method,
    headers: body ? { "content-type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  const error = new Error(problem.detail ?? `The service answered ${answer.status}.`);
  // What is wrong now stays wrong; everything else may pass.
  error.isFinal = answer.status < 500 && answer.status !== 408 && answer.status !== 429;
  throw error;
}

// Does `work` again until it succeeds or cannot; tells `say` what it waits for.
async function persist(work, say) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (error.isFinal || tries > 60) throw error;
      say(navigator.onLine ? "The connection broke; trying again." : "No connection; waiting for it.");
      await pause(Math.min(30, 2 ** Math.min(tries, 5)));
    }
  }
}

function send(url, part, progress) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.timeout = 600000;
    request.upload.addEventListener("progress", ({ loaded }) => progress(loaded));
    request.addEventListener("load", () => (request.status < 300 ? done() : failed(new Error(`Storage answered ${request.status}.`))));
    for (const event of ["error", "timeout", "abort"]) {
      request.addEventListener(event, () => failed(new Error("The connection broke.")));
    }
    request.send(part);
  });
}

async function sha256(part) {
  const digest = await crypto.subtle.digest("SHA-256", await part.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function upload(file, show) {
  const { bar, say } = show(file);
  const begun = await persist(() => call("POST", "", { name: file.name, bytes: file.size }), say);
  const stored = new Set(begun.stored);
  const hashes = [];
  let sent = 0;
  for (let number = 1; number <= begun.parts; number += 1) {
    const part = file.slice((number - 1) * begun.part_bytes, number * begun.part_bytes);
    hashes.push(await sha256(part));
    if (!stored.has(number)) {
      await persist(async () => {
        const { parts } = await call("POST", `/${begun.id}/parts`, { numbers: [number] });
        await send(parts[0].url, part, (loaded) => { bar.value = sent + loaded; });
        say("");
      }, say);
    }
    sent += part.size;
    bar.value = sent;
  }
  say("Sent; being checked.");
  let state = await persist(() => call("POST", `/${begun.id}/complete`, { sha256: hashes }), say);
  while (state.state === "checking") {
    await pause(1);
    state = await persist(() => call("GET", `/${begun.id}`), say);
  }
  if (state.state !== "ready") throw Object.assign(new Error(state.problem), { isFinal: true });
  say("Checked.");
  return begun.id;
}

// What would run, shown above the form, which keeps the files that were chosen.
async function preview(form) {
  const body = new FormData(form);
  body.set("check", "yes");
  const answer = await fetch(form.action, { method: "POST", body });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const said = page.querySelector("#preview section, #errors, .fault, .notice.problem");
  said?.querySelectorAll(".files-again, .not-kept").forEach((element) => element.remove());
  const place = document.getElementById("preview");
  place.replaceChildren(said ?? `The service answered ${answer.status}.`);
  place.scrollIntoView({ block: "start" });
}

addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("submit");
  form?.addEventListener("submit", async (event) => {
    const isLarge = [...document.getElementById("files").files].some((file) => file.size > largeBytes);
    // Large files are sent ahead below, and then it comes here again.
    if (event.submitter?.name !== "check" || (isLarge && globalThis.crypto?.subtle)) return;
    event.preventDefault();
    event.submitter.disabled = true;
    await preview(form).catch((error) => document.getElementById("preview").replaceChildren(error.message));
    event.submitter.disabled = false;
  });
  const input = document.getElementById("files");
  const list = document.getElementById("uploads");
  if (!form || !input || !list || !globalThis.crypto?.subtle) return;
  document.getElementById("large-files").hidden = false;

  const show = (file) => {
    const line = document.createElement("p");
    line.className = "progress";
    const label = document.createElement("label");
    const bar = document.createElement("progress");
    const said = document.createElement("span");
    bar.id = `upload-${list.children.length}`;
    bar.max = file.size;
    bar.value = 0;
    label.htmlFor = bar.id;
    label.textContent = `Uploading ${file.name}`;
    line.append(label, bar, said);
    list.append(line);
    return { bar, say: (text) => { said.textContent = text; } };
  };

  form.addEventListener("submit", async (event) => {
    const large = [...input.files].filter((file) => file.size > largeBytes);
    if (large.length === 0) return;
    event.preventDefault();
    const button = form.querySelector("button.primary");
    button.disabled = true;
    list.replaceChildren();
    try {
      for (const file of large) {
        const field = document.createElement("input");
        Object.assign(field, { type: "hidden", name: "uploaded", value: await upload(file, show) });
        form.append(field);
      }
      // The small ones go with the form.
      const rest = new DataTransfer();
      [...input.files].filter((file) => file.size <= largeBytes).forEach((file) => rest.items.add(file));
      input.files = rest.files;
      if (event.submitter?.name === "check") {
        await preview(form);
        button.disabled = false;
      } else form.submit();
    } catch (error) {
      const problem = document.createElement("p");
      problem.className = "error";
      problem.setAttribute("role", "alert");
      problem.textContent = `${error.message} Choose “Submit” to go on.`;
      list.append(problem);
      button.disabled = false;
    }
  });
});
