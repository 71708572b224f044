// The contents API of the page's own server: where a home is, requests as files, and the offline
// file of a busy kernel. On pages without a Jupyter server, `baseUrl` is null and nothing is sent.

function baseUrl() {
  const config = document.getElementById("jupyter-config-data");
  try {
    return config ? JSON.parse(config.textContent).baseUrl ?? null : null;
  } catch {
    return null;
  }
}

function cookie(name) {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

function contents(path, method = "GET", body = undefined, query = "") {
  const url = `${baseUrl()}api/contents/${path.split("/").map(encodeURIComponent).join("/")}`;
  return fetch(url + query, {
    method,
    credentials: "same-origin",
    cache: "no-store",
    headers: { "Content-Type": "application/json", "X-XSRFToken": cookie("_xsrf") },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

// Folders that a home may have on the server: beside the notebook first, then every end of its path.
function candidates(home, beside) {
  const found = [];
  const page = decodeURIComponent(location.pathname);
  const at = page.match(/\/(?:tree|notebooks|edit)\/(.*)$/);
  if (beside && at) found.push([...at[1].split("/").slice(0, -1), beside].join("/"));
  const parts = home.split("/").filter(Boolean);
  for (let n = 1; n <= parts.length; n += 1) found.push(parts.slice(-n).join("/"));
  return [...new Set(found)].filter((path) => !path.split("/").some((part) => part.startsWith(".")));
}

const homes = new Map();
const LOOK_AGAIN_MS = 60_000;

async function lookForHome(home, { id, beside }) {
  if (baseUrl() === null) return null;
  for (const folder of candidates(home, beside)) {
    try {
      const query = "?type=file&format=text&content=1";
      const answer = await contents(`${folder}/data/control/HOME`, "GET", undefined, query);
      if (answer.ok && (await answer.json()).content.trim() === id) return folder;
    } catch { /* the next one */ }
  }
  return null;
}

function findHome(home, marker) {
  if (!marker) return Promise.resolve(null);
  if (!homes.has(marker.id)) {
    const found = lookForHome(home, marker);
    homes.set(marker.id, found);
    // A server that does not answer now may answer later.
    found.then((folder) => folder || setTimeout(() => homes.delete(marker.id), LOOK_AGAIN_MS));
  }
  return homes.get(marker.id);
}

// Written under another name first: a run must never read half a request.
async function leave(folder, request) {
  const name = `${String(request.wall).padStart(15, "0")}-${request.id}.json`;
  const target = `${folder}/${name}`;
  const text = JSON.stringify(request);
  const written = await contents(`${target}.new`, "PUT",
    { type: "file", format: "text", content: text });
  if (!written.ok) throw new Error(`the server answered ${written.status}`);
  const renamed = await contents(`${target}.new`, "PATCH", { path: target });
  if (!renamed.ok) {
    await contents(`${target}.new`, "DELETE");
    if (renamed.status !== 409) throw new Error(`the server answered ${renamed.status}`);
  }
  return target;
}

// The kill switch is one file for a home; a file that is there already is written anew.
async function turnOnKill(folder) {
  const written = await contents(`${folder}/data/KILL`, "PUT",
    { type: "file", format: "text", content: "flatten\n" });
  if (!written.ok) throw new Error(`the server answered ${written.status}`);
}

async function isThere(path) {
  const [, folder, name] = path.match(/^(.*)\/(.*)$/);
  const answer = await contents(folder);
  return answer.ok && (await answer.json()).content.some((file) => file.name === name);
}
