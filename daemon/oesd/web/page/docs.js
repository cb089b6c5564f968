// The API's description as a page: read from /openapi.json, every text put in as text.

const METHODS = ["get", "post", "patch", "put", "delete"];

function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...(Array.isArray(content) ? content : [content]));
  return made;
}

function kind(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return schema.anyOf.map(kind).join(" | ");
  if (schema.type === "array") return `[${kind(schema.items)}]`;
  if (schema.type === "object" && schema.additionalProperties) return `{name: ${kind(schema.additionalProperties)}}`;
  return schema.format ?? schema.type ?? "any";
}

function bounds(schema) {
  const words = [];
  if (schema.default !== undefined && schema.default !== "") words.push(`default ${JSON.stringify(schema.default)}`);
  if (schema.minimum !== undefined) words.push(`from ${schema.minimum}`);
  if (schema.exclusiveMinimum !== undefined) words.push(`above ${schema.exclusiveMinimum}`);
  if (schema.maximum !== undefined) words.push(`to ${schema.maximum}`);
  if (schema.exclusiveMaximum !== undefined) words.push(`below ${schema.exclusiveMaximum}`);
  return words.join(", ");
}

function worded(text) { // what stands between backticks is code
  return text.split("`").map((part, place) => (place % 2 ? element("code", part) : part));
}

function table(rows) {
  const cells = (row) => element("tr", row.map((cell, place) => element(place ? "td" : "th", cell)));
  return element("table", element("tbody", rows.map(cells)));
}

function parameters(operation) {
  const rows = (operation.parameters ?? []).map((one) => [
    element("code", one.name),
    `${one.in}${one.required ? ", required" : ""}`,
    element("code", kind(one.schema)),
    [one.description ?? "", bounds(one.schema)].filter(Boolean).join("; "),
  ]);
  return rows.length ? [table(rows)] : [];
}

function fields(name, schemas, seen = new Set()) {
  if (seen.has(name) || !schemas[name]) return [];
  seen.add(name);
  const schema = schemas[name];
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([key, one]) => [
    element("code", key), element("code", kind(one)), required.has(key) ? "" : "may be absent",
    one.description ?? "",
  ]);
  const inner = [...JSON.stringify(schema).matchAll(/schemas\/(\w+)/g)].map((match) => match[1]);
  const head = [element("h4", name), element("p", schema.description ?? "")];
  if (!rows.length) head.push(element("p", element("code", kind(schema))));
  return [...head, ...(rows.length ? [table(rows)] : []), ...inner.flatMap((one) => fields(one, schemas, seen))];
}

function folded(title, schema, schemas) {
  const name = schema?.$ref?.split("/").pop();
  if (!name) return element("p", `${title}: ${kind(schema)}`);
  return element("details", [element("summary", `${title}: ${name}`), ...fields(name, schemas)]);
}

function answers(operation, schemas) {
  return Object.entries(operation.responses).flatMap(([status, one]) => {
    const bodies = Object.entries(one.content ?? {});
    if (!status.startsWith("2")) return [];
    return bodies.length ? bodies.map(([media, body]) => folded(`${status} ${media}`, body.schema, schemas)) : [];
  });
}

function refusals(operation) {
  const rows = Object.entries(operation.responses).filter(([status]) => !status.startsWith("2"));
  return element("details", [element("summary", "otherwise"), table(rows.map(([status, one]) => [status, one.description]))]);
}

function call(path, method, operation, schemas) {
  const guarded = operation.security ? [" ", element("span", "needs the token", { class: "token" })] : [];
  const body = Object.entries(operation.requestBody?.content ?? {});
  return element("article", [
    element("h3", [element("code", `${method.toUpperCase()} ${path}`), ...guarded]),
    element("p", worded([operation.summary, operation.description].filter(Boolean).join(". "))),
    ...parameters(operation),
    ...body.map(([media, one]) => folded(`body ${media}`, one.schema, schemas)),
    ...answers(operation, schemas),
    refusals(operation),
  ], { id: operation.operationId });
}

function show(api) {
  document.getElementById("about").textContent = `${api.info.summary} Version ${api.info.version}. ${api.info.description}`;
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })));
  const contents = document.getElementById("contents");
  const sections = api.tags.flatMap((tag) => {
    const own = operations.filter((one) => one.operation.tags.includes(tag.name));
    contents.append(...own.map((one) => element("a", element("code", `${one.method.toUpperCase()} ${one.path}`),
      { href: `#${one.operation.operationId}` })));
    return [element("h2", tag.name), element("p", tag.description),
      ...own.map((one) => call(one.path, one.method, one.operation, api.components.schemas))];
  });
  document.getElementById("calls").replaceChildren(...sections);
}

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the daemon answers ${answer.status}`);
  show(await answer.json());
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
} catch (problem) {
  document.getElementById("calls").textContent = `The description cannot be read: ${problem.message}. Reload the page when the daemon runs.`;
}
