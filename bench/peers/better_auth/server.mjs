// A better-auth server as its documentation sets one up: node-postgres, e-mail and password, sessions looked up in the
// database at each request. Fixed for the comparison: Argon2id parameters, the pool's size, no rate limit, no log.
import { createServer } from "node:http";
import { apiKey } from "@better-auth/api-key";
import { hash, verify } from "@node-rs/argon2";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { Pool } from "pg";

const { PEER_DATABASE_URL, PEER_POOL, PEER_PORT, PEER_SECRET } = process.env;
const argon2id = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 }; // the binding's default algorithm is Argon2id

const options = {
  baseURL: `http://127.0.0.1:${PEER_PORT}`,
  secret: PEER_SECRET,
  database: new Pool({ connectionString: PEER_DATABASE_URL, max: Number(PEER_POOL) }),
  emailAndPassword: {
    enabled: true,
    password: {
      hash: (password) => hash(password, argon2id),
      verify: (attempt) => verify(attempt.hash, attempt.password),
    },
  },
  // its own advice for PostgreSQL: session and user in one query instead of two
  advanced: { database: { joins: process.env.PEER_JOINS !== "off" } },
  // a key stands for its person's session; what it counts and limits by key is off, when it was used is written
  plugins: process.env.PEER_API_KEYS === "on" ? [apiKey({ enableSessionForAPIKeys: true, rateLimit: { enabled: false } })] : [],
  rateLimit: { enabled: false },
  logger: { disabled: true },
  telemetry: { enabled: false },
};

await (await getMigrations(options)).runMigrations();
createServer(toNodeHandler(betterAuth(options))).listen(Number(PEER_PORT), "127.0.0.1");
