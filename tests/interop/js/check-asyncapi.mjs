// Checks an AsyncAPI document against the specification's own JSON Schema, as published in npm
// `@asyncapi/specs`, and that every reference in it leads somewhere.
//
//   node check-asyncapi.mjs FILE

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import Ajv from 'ajv'
import addFormats from 'ajv-formats'

const specs = createRequire(import.meta.url)('@asyncapi/specs')
const [path] = process.argv.slice(2)
const document = JSON.parse(readFileSync(path, 'utf8'))
const problems = []

const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false })
addFormats(ajv)
const validate = ajv.compile(specs.schemas[document.asyncapi])
if (!validate(document)) {
  problems.push(...validate.errors.map((error) => `${error.instancePath} ${error.message}`))
}

function target(reference) {
  const [file, pointer] = reference.split('#')
  const root = file ? JSON.parse(readFileSync(join(dirname(path), file), 'utf8')) : document
  const keys = (pointer ?? '').split('/').slice(1)
  return keys.reduce((part, key) => part?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], root)
}

let references = 0
function follow(part) {
  if (part === null || typeof part !== 'object') return
  for (const [key, value] of Object.entries(part)) {
    if (key === '$ref') {
      references += 1
      if (target(value) === undefined) problems.push(`${value} leads nowhere`)
    } else follow(value)
  }
}
follow(document)

process.stdout.write(JSON.stringify({ asyncapi: document.asyncapi, references, problems }))
process.exitCode = problems.length === 0 ? 0 : 1
