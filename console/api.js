// Calls the server's HTTP interface and turns problem documents into errors.
// Must not know any view: it returns data and throws `ApiError`.

/** A refused or failed request. `fields` maps a field's name to what is wrong with it. */
export class ApiError extends Error {
  constructor({ title, detail, status = 0, errors = [], type = "" }) {
    super(detail || title || "The request failed.");
    this.title = title || "The request failed";
    this.detail = detail ?? "";
    this.status = status;
    this.type = type;
    this.fields = Object.fromEntries(errors.map((error) => [error.field, error.message]));
  }
}

/** Told when the server says that nobody is signed in: event `signedout`. */
export const session = new EventTarget();

async function call(method, path, body, signal) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      credentials: "same-origin",
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ title: "No connection", detail: "The server cannot be reached. Check the connection and try again." });
  }
  const text = await response.text();
  const data = parse(text);
  if (response.ok) return data ?? {};
  if (response.status === 401 && path !== "/v1/session") session.dispatchEvent(new Event("signedout"));
  throw new ApiError({ status: response.status, title: response.statusText, ...(data ?? {}) });
}

function parse(text) {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null; // A proxy's HTML error page: the status alone has to explain it.
  }
}

function query(values) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, value);
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

/** The signed-in agent, or null. */
export async function currentAgent() {
  try {
    return (await call("GET", "/v1/session")).agent;
  } catch (error) {
    if (error.status === 401) return null;
    throw error;
  }
}

export const signIn = async (email, password) => (await call("POST", "/v1/session", { email, password })).agent;
export const signOut = () => call("DELETE", "/v1/session");
export const checkSetupToken = (token) => call("GET", `/v1/setup${query({ token })}`);
export const setUp = async (values) => (await call("POST", "/v1/setup", values)).agent;

export const agents = async (signal) => (await call("GET", "/v1/agents", undefined, signal)).agents;
export const addAgent = (values) => call("POST", "/v1/agents", values);
export const changeAgent = (id, values) => call("PATCH", `/v1/agents/${encodeURIComponent(id)}`, values);

export const transcripts = (filters, signal) => call("GET", `/v1/transcripts${query(filters)}`, undefined, signal);
export const transcript = (id, signal) => call("GET", `/v1/transcripts/${encodeURIComponent(id)}`, undefined, signal);
export const figures = (days, signal) => call("GET", `/v1/figures${query({ days })}`, undefined, signal);
export const invitations = (days, signal) => call("GET", `/v1/invitations${query({ days })}`, undefined, signal);
export const reasons = async (signal) => (await call("GET", "/v1/reasons", undefined, signal)).reasons;
export const about = (signal) => call("GET", "/v1/about", undefined, signal);
export const seenOf = (origin, signal) => call("GET", `/v1/install${query({ origin })}`, undefined, signal);
export const removeDemo = () => call("DELETE", "/v1/demo");
