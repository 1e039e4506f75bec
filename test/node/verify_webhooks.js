// Requests from standard input, one JSON object a line {headers, body, secrets, now}: what the reference library of Standard
// Webhooks says of each, with each of the secrets, at that time. Answers one line for each: "ok" or the error, per secret.
const { Webhook } = require("standardwebhooks");

function verdict(secret, request) {
  const clock = Date.now;
  if (request.now) Date.now = () => request.now * 1000;
  try {
    new Webhook(secret).verify(request.body, request.headers);
    return "ok";
  } catch (error) {
    return error.message;
  } finally {
    Date.now = clock;
  }
}

for (const line of require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const request = JSON.parse(line);
  console.log(request.secrets.map((secret) => verdict(secret, request)).join(", "));
}
