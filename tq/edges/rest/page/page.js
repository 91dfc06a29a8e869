// Draws /schema/openapi.json, and sends requests to this edge alone. Text is only ever set as text, never as HTML: much of
// what a broker answers was written by others.
"use strict";

const METHODS = ["get", "post", "delete"];
const DEPTH_MAX = 4; // of an example: types may hold themselves

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function resolved(schema, openapi) {
  const name = schema.$ref && schema.$ref.split("/").pop();
  return name ? openapi.components.schemas[name] : schema;
}

// A value that a schema allows: what a body begins with. Of fields, those that have to be there.
function example(schema, openapi, depth = 0) {
  const type = resolved(schema, openapi);
  if (type.default !== undefined) return type.default;
  if (type.enum) return type.enum[0];
  if (type.const !== undefined) return type.const;
  if (type.anyOf) return example(type.anyOf[0], openapi, depth);
  if (type.type === "object") {
    const value = {};
    for (const name of depth < DEPTH_MAX ? type.required || [] : []) {
      value[name] = example(type.properties[name], openapi, depth + 1);
    }
    return value;
  }
  if (type.type === "array") return depth < DEPTH_MAX ? [example(type.items || {}, openapi, depth + 1)] : [];
  return { integer: 0, number: 0, boolean: false, string: "" }[type.type] ?? null;
}

function described(schema, openapi) {
  const type = resolved(schema, openapi);
  const word = schema.$ref ? schema.$ref.split("/").pop() : type.type || "";
  if (type.enum) return type.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (type.anyOf) return type.anyOf.map((each) => described(each, openapi)).join(" | ");
  if (type.type === "array" && !schema.$ref) return `array of ${described(type.items || {}, openapi) || "any"}`;
  const bounds = [
    type.minimum !== undefined && `from ${type.minimum}`,
    type.maximum !== undefined && `to ${type.maximum}`,
    type.maxLength !== undefined && `at most ${type.maxLength} characters`,
    type.maxItems !== undefined && `at most ${type.maxItems}`,
  ].filter(Boolean);
  return [word || "any", ...bounds].join(", ");
}

function fields(schema, openapi) {
  const type = resolved(schema, openapi);
  const rows = Object.entries(type.properties || {}).map(([name, field]) => {
    const said = [described(field, openapi), field.description || "", field.default !== undefined ? `default ${JSON.stringify(field.default)}` : ""];
    const mark = (type.required || []).includes(name) ? " *" : "";
    return make("tr", {}, make("td", {}, make("code", { textContent: name + mark })), make("td", { textContent: said.filter(Boolean).join("; ") }));
  });
  return make("table", {}, ...rows);
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curlOf(method, address, headers, body) {
  const shown = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${name === "Authorization" ? "Bearer $TQ_TOKEN" : value}`)}`);
  return ["curl", method === "get" ? "-sN" : `-sX ${method.toUpperCase()}`, quoted(location.origin + address), ...shown, body ? `-d ${quoted(body)}` : ""].filter(Boolean).join(" ");
}

async function show(response, output) {
  output.textContent = `${response.status} ${response.statusText}\n`;
  for (const [name, value] of response.headers) output.textContent += `${name}: ${value}\n`;
  output.textContent += "\n";
  const type = response.headers.get("content-type") || "";
  if (/[/+]json/.test(type)) {
    output.textContent += JSON.stringify(await response.json(), null, 2);
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    output.textContent = (output.textContent + part.value).slice(-200_000);
  }
}

function form(path, method, operation, openapi) {
  const inputs = (operation.parameters || []).map((parameter) => {
    const input = make("input", { placeholder: parameter.schema.default !== undefined ? String(parameter.schema.default) : "" });
    return { parameter, input };
  });
  const bodySchema = operation.requestBody && operation.requestBody.content["application/json"].schema;
  const body = bodySchema && make("textarea", { spellcheck: false, value: JSON.stringify(example(bodySchema, openapi), null, 2) });
  const curl = make("pre", {});
  const output = make("pre", { hidden: true });
  const send = make("button", { textContent: "Send", type: "button" });
  const stop = make("button", { textContent: "Stop", type: "button", disabled: true });
  let abort = null;

  function request() {
    let address = path;
    const query = new URLSearchParams();
    const headers = {};
    const token = document.getElementById("token").value.trim();
    if (token) headers.Authorization = `Bearer ${token}`;
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value && parameter.in === "header") headers[parameter.name] = input.value;
      else if (input.value && parameter.schema.type === "array") input.value.split(/\s+/).filter(Boolean).forEach((value) => query.append(parameter.name, value));
      else if (input.value) query.append(parameter.name, input.value);
    }
    if (body) headers["Content-Type"] = "application/json";
    return { address: query.size ? `${address}?${query}` : address, headers, content: body ? body.value : undefined };
  }

  function refresh() {
    const { address, headers, content } = request();
    curl.textContent = curlOf(method, address, headers, content);
  }

  send.addEventListener("click", async () => {
    const { address, headers, content } = request();
    abort = new AbortController();
    stop.disabled = false;
    output.hidden = false;
    output.textContent = "...";
    try {
      await show(await fetch(address, { method: method.toUpperCase(), headers, body: content, signal: abort.signal, cache: "no-store" }), output);
    } catch (error) {
      output.textContent += `\n${error.name === "AbortError" ? "stopped" : error.message}`;
    } finally {
      stop.disabled = true;
    }
  });
  stop.addEventListener("click", () => abort && abort.abort());
  const rows = inputs.map(({ parameter, input }) => {
    const name = parameter.name + (parameter.required ? " *" : "");
    const note = [parameter.in, described(parameter.schema, openapi), parameter.description || "", parameter.schema.type === "array" ? "several: with spaces" : ""];
    return make("div", { className: "field" }, make("code", { textContent: name }), input, make("small", { textContent: note.filter(Boolean).join("; ") }));
  });
  const parts = [...rows];
  if (body) parts.push(fields(bodySchema, openapi), body);
  const element = make("div", { className: "inside" }, ...parts, curl, send, " ", stop, output);
  element.addEventListener("input", refresh);
  refresh();
  return element;
}

function answers(operation, openapi) {
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    const content = Object.values(response.content || {})[0];
    const name = content && content.schema && content.schema.$ref ? content.schema.$ref.split("/").pop() : "";
    return make("tr", {}, make("td", {}, make("code", { textContent: status })), make("td", { textContent: response.description }), make("td", {}, make("code", { textContent: name })));
  });
  return make("details", {}, make("summary", { textContent: "Answers" }), make("div", { className: "inside" }, make("table", {}, ...rows)));
}

function route(path, method, operation, openapi) {
  const head = make(
    "summary",
    {},
    make("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
    make("span", { className: "path", textContent: path }),
    make("span", { className: "says", textContent: operation.summary }),
  );
  const details = make("details", { id: operation.operationId }, head);
  details.dataset.words = `${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase();
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return; // drawn when it is first opened
    details.append(make("div", { className: "inside" }, operation.description), form(path, method, operation, openapi), answers(operation, openapi));
  });
  return details;
}

function draw(openapi) {
  document.getElementById("about").textContent = `${openapi.info.version}\n${openapi.info.description}`;
  const main = document.getElementById("routes");
  const byTag = new Map();
  for (const [path, methods] of Object.entries(openapi.paths)) {
    for (const method of METHODS.filter((each) => methods[each])) {
      const tag = methods[method].tags[0];
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push(route(path, method, methods[method], openapi));
    }
  }
  for (const [tag, routes] of byTag) main.append(make("section", {}, make("h2", { textContent: tag }), ...routes));
  const types = Object.entries(openapi.components.schemas).map(([name, schema]) =>
    make("details", { id: `type-${name}` }, make("summary", { className: "path", textContent: name }), make("div", { className: "inside" }, make("p", { textContent: schema.description || "" }), fields(schema, openapi))),
  );
  main.append(make("section", {}, make("h2", { textContent: "types" }), ...types));
  document.getElementById("find").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const details of main.querySelectorAll("section > details")) {
      details.hidden = !(details.dataset.words || details.id.toLowerCase()).includes(wanted);
    }
  });
  if (location.hash) document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
}

fetch("/schema/openapi.json")
  .then((response) => response.json())
  .then(draw)
  .catch((error) => {
    document.getElementById("about").textContent = `The document cannot be read: ${error.message}`;
  });
