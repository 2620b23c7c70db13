// Compares src/lib/api/schema.ts with the API's OpenAPI document in build/openapi.json; `npm run types` renews it.
import { readFileSync } from "node:fs";
import openapiTypes, { astToString, COMMENT_HEADER } from "openapi-typescript";

const document = new URL("../../build/openapi.json", import.meta.url);
const made = COMMENT_HEADER + astToString(await openapiTypes(document));
if (made !== readFileSync(new URL("../src/lib/api/schema.ts", import.meta.url), "utf8")) {
  process.stderr.write("web/src/lib/api/schema.ts is not what the API says: run 'make format'\n");
  process.exit(1);
}
