// Reads one captured message the way a stranger would: npm `jose` and `ajv`, the published
// schemas, the sender's public key and, where the body is sealed, a reader's private key.
//
//   node open-envelope.mjs --schemas DIR --envelope FILE --signer FILE [--reader FILE]
//
// FILE of --envelope holds the AMQP message's body (one JWS compact), the other two one JWK each.
// Prints {header, event, body} as JSON; body is null where it is sealed and no reader is given.
// Exit 0: everything verified and valid. Exit 1: not; standard error says which step refused.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { compactVerify, generalDecrypt, importJWK } from 'jose'

const URN = 'urn:jukinet-mq:schema:'
const SEALED = 'application/jose+json'

class Refusal extends Error {}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))
const decode = (bytes) => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))

function loadSchemas(directory) {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true })
  addFormats(ajv)
  for (const name of readdirSync(directory).filter((name) => name.endsWith('.schema.json'))) {
    ajv.addSchema(readJson(join(directory, name)))
  }
  return ajv
}

function mustBeValid(ajv, urn, value, step) {
  const validate = ajv.getSchema(urn)
  if (validate === undefined) throw new Refusal(`${step}: no schema ${urn} is published`)
  if (!validate(value)) {
    const places = validate.errors.map((error) => `${error.instancePath || '/'} ${error.keyword}`)
    throw new Refusal(`${step}: does not meet ${urn}: ${places.join(', ')}`)
  }
}

async function verify(ajv, compact, signerJwk) {
  const key = await importJWK(signerJwk, 'Ed25519')
  let verified
  try {
    verified = await compactVerify(compact, key, { algorithms: ['Ed25519'] })
  } catch (error) {
    throw new Refusal(`signature: ${error.code}`)
  }
  mustBeValid(ajv, `${URN}jws-header:v1`, verified.protectedHeader, 'JWS header')
  if (verified.protectedHeader.kid !== signerJwk.kid) throw new Refusal('signature: another kid')
  return { header: verified.protectedHeader, event: decode(verified.payload) }
}

async function open(event, readerJwk) {
  if (event.datacontenttype !== SEALED) return event.data
  if (readerJwk === undefined) return null
  const key = await importJWK(readerJwk, 'ECDH-ES+A256KW')
  try {
    const { plaintext } = await generalDecrypt(event.data, key, {
      keyManagementAlgorithms: ['ECDH-ES+A256KW'],
      contentEncryptionAlgorithms: ['A256GCM'],
    })
    return decode(plaintext)
  } catch (error) {
    throw new Refusal(`seal: ${error.code}`)
  }
}

async function main() {
  const string = { type: 'string' }
  const options = { schemas: string, envelope: string, signer: string, reader: string }
  const { values } = parseArgs({ options })
  const ajv = loadSchemas(values.schemas)
  const compact = readFileSync(values.envelope, 'utf8')
  const { header, event } = await verify(ajv, compact, readJson(values.signer))
  mustBeValid(ajv, `${URN}envelope:v1`, event, 'CloudEvent')
  const body = await open(event, values.reader && readJson(values.reader))
  if (body !== null) mustBeValid(ajv, event.dataschema, body, 'body')
  process.stdout.write(JSON.stringify({ header, event, body }))
}

main().catch((error) => {
  process.stderr.write(error instanceof Refusal ? `${error.message}\n` : `${error.stack}\n`)
  process.exitCode = 1
})
