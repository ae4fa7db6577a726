import { describe, expect, it } from 'vitest'
import {
  chooseProfile,
  closeOnSignal,
  ConfigError,
  consoleLogger,
  defineTopic,
  explainConfig,
  formatExplanation,
  loadConfig,
  murmur2,
  nullable,
  string,
} from 'tidemark'
import { mskIam, oauth, tlsFiles } from 'tidemark/auth'
import { memoryDedupe } from 'tidemark/dedupe'
import { pattern } from 'tidemark/pattern'
import { inboxTableSql, outboxTablesSql, positionsTableSql, sqlDedupe, sqlOutbox, sqlPositions } from 'tidemark/sql'
import { virtualClock } from 'tidemark/testing'

/** Types may have been cast away. */
type Loose = (...given: readonly unknown[]) => unknown

const closeable = { close: () => Promise.resolve() }
const kysely = { getExecutor: () => ({}), transaction: () => 0, withoutPlugins: () => 0 }
const value = string()
const client = { tokenUrl: 'https://login.test/token', clientId: 'a', clientSecret: 'hunter2' }
const pem = '-----BEGIN PRIVATE KEY-----hunter2'
const environment = { KAFKA_BROKERS: 'a:9092' }

const refused: [name: string, call: unknown, given: readonly unknown[], what: string][] = [
  ['chooseProfile', chooseProfile, [], 'options: is missing; write an object with any of lossTolerated'],
  ['chooseProfile', chooseProfile, [{ lossTolerated: 'yes' }], 'lossTolerated: is a string; write true or false'],
  ['chooseProfile', chooseProfile, [{ lossTolerance: true }], 'did you mean lossTolerated?'],
  ['chooseProfile', chooseProfile, [{ replicationFactor: 0 }], 'replicationFactor: is 0; write a whole number from 1'],
  ['explainConfig', explainConfig, [], 'resolved: is missing; give the options as an object'],
  ['explainConfig', explainConfig, [{}], 'layers: is missing; give a list; write { from, values }'],
  ['explainConfig', explainConfig, [{}, [{ from: 'me', values: {} }]], 'layers.0: is no layer; write { from, values }'],
  ['explainConfig', explainConfig, [{}, [{ from: 'user', values: null }]], 'layers.0: is no layer'],
  ['formatExplanation', formatExplanation, [], 'explained: is missing; give what explainConfig returned'],
  ['loadConfig', loadConfig, [null], 'environment: is null; give an object of variables'],
  ['loadConfig', loadConfig, ['prod'], 'environment: is a string; give an object of variables'],
  ['loadConfig', loadConfig, [environment, null], 'options: is null; write an object with any of readFile'],
  ['loadConfig', loadConfig, [environment, { readFile: 'a' }], 'readFile: is a string; write a function'],
  ['nullable', nullable, [], 'serde: is missing; give a serde'],
  ['nullable', nullable, [{ parse: () => 1 }], 'serde: is an object; give a serde'],
  ['murmur2', murmur2, [null], 'options: is null; write an object with any of stickyBytes'],
  ['murmur2', murmur2, [{ stickybytes: 5 }], 'did you mean stickyBytes?'],
  ['virtualClock', virtualClock, [null], 'options: is null; write an object with any of start'],
  ['virtualClock', virtualClock, [{ start: new Date(0) }], 'start: is a Date; write milliseconds since 1970'],
  ['consoleLogger', consoleLogger, ['loud'], 'options: is a string; write an object with any of level'],
  ['consoleLogger', consoleLogger, [{ level: 'loud' }], "level: is a string; write 'debug', 'info'"],
  ['closeOnSignal', closeOnSignal, [], 'messaging: is missing; give what createMessaging returned'],
  ['closeOnSignal', closeOnSignal, [closeable, null], 'options: is null; write an object with any of signals'],
  [
    'closeOnSignal',
    closeOnSignal,
    [closeable, { signals: 'SIGTERM' }],
    'signals: is a string; write a list of signals',
  ],
  [
    'closeOnSignal',
    closeOnSignal,
    [closeable, { signals: ['TERM'] }],
    'signals: is a list of 1; write a list of signals',
  ],
  ['sqlDedupe', sqlDedupe, [], 'db: is missing; give a Kysely of yours'],
  ['sqlDedupe', sqlDedupe, [{}, { keepMs: 5 }], 'db: is an object; give a Kysely of yours'],
  ['sqlDedupe', sqlDedupe, [kysely, null], 'options: is null; write an object with any of dialect, prefix, keepMs'],
  ['sqlDedupe', sqlDedupe, [kysely, { keepDays: 7 }], 'keepDays: is not an option'],
  ['sqlOutbox', sqlOutbox, [null], 'db: is null; give a Kysely of yours'],
  ['sqlOutbox', sqlOutbox, [kysely, { prefix: 5 }], 'prefix: is 5; write what the name of a table may begin with'],
  ['sqlPositions', sqlPositions, [kysely], 'options: is missing; write an object with any of dialect, prefix, group'],
  ['sqlPositions', sqlPositions, [kysely, {}], 'group: is missing; write the name of the group'],
  [
    'sqlPositions',
    sqlPositions,
    [kysely, { group: 'g ' }],
    'group: is a string; write the name of the group: 1 to 190',
  ],
  ['sqlPositions', sqlPositions, [{}, { group: 'g' }], 'db: is an object; give a Kysely of yours'],
  ['positionsTableSql', positionsTableSql, ['oracle'], "dialect: is a string; write 'sqlite', 'mysql', 'postgres'"],
  ['inboxTableSql', inboxTableSql, ['oracle'], "dialect: is a string; write 'sqlite', 'mysql', 'postgres'"],
  ['outboxTablesSql', outboxTablesSql, [], "dialect: is missing; write 'sqlite', 'mysql', 'postgres'"],
  ['outboxTablesSql', outboxTablesSql, ['mysql', { prefix: '' }], 'prefix: is empty; write what the name'],
  ['memoryDedupe', memoryDedupe, [null], 'options: is null; write an object with any of keepMs, maxMarks'],
  ['memoryDedupe', memoryDedupe, [{ keepMs: '1h' }], 'keepMs: is a string; write a whole number from 1'],
  ['closeOnSignal', closeOnSignal, [closeable, { timeoutMs: -1 }], 'timeoutMs: is -1; write milliseconds'],
  ['pattern', pattern, ['a.*', { value }], 'names: is a string; write a regular expression'],
  ['pattern', pattern, [/a.*/], 'value: is not a serde; write json(…)'],
  [
    'pattern',
    pattern,
    [/a.*/, { value, name: 'a', partitions: 3 }],
    'name: is not an option; take it out; options are',
  ],
  ['pattern', pattern, [/a.*/, { value, keyserde: value }], 'keyserde: is not an option; did you mean keySerde?'],
  ['defineTopic', defineTopic, [{ name: /a.*/, value }], 'name: is a regular expression, not a string; write 1 to 249'],
  [
    'defineTopic',
    defineTopic,
    [{ name: 'a.*', value }],
    'whose names match, pattern(/…/, { value }) of tidemark/pattern',
  ],
  ['oauth', oauth, [], 'options: is missing; write an object with any of tokenUrl, clientId'],
  ['oauth', oauth, [{}], 'clientSecret: is missing; write it as text, or a function'],
  ['oauth', oauth, [{ ...client, clientSecret: undefined }], 'clientSecret: is missing'],
  ['oauth', oauth, [{ ...client, tokenUrl: 'login.test/token' }], 'tokenUrl: is a string; write the URL'],
  ['oauth', oauth, [{ ...client, tokenEndpoint: 'x' }], 'tokenEndpoint: is not an option'],
  ['oauth', oauth, [{ ...client, scope: ['kafka'] }], 'scope: is a list of 1; write scopes with spaces'],
  ['oauth', oauth, [{ ...client, extensions: { a: 3 } }], 'extensions: is an object; write names of letters'],
  [
    'oauth',
    oauth,
    [{ ...client, extensions: { auth: 'x' } }],
    'extensions: is an object; write names of letters, but auth',
  ],
  ['oauth', oauth, [{ ...client, extensions: { 'a-b': 'x' } }], 'extensions: is an object; write names of letters'],
  ['mskIam', mskIam, [{ credentials: {} }], 'region: is missing; write'],
  ['mskIam', mskIam, [{ region: 'eu-central-1', credentials: {} }], 'credentials: is an object; write a function'],
  ['tlsFiles', tlsFiles, [{ ca: pem }], 'ca: is PEM text; write the path'],
  ['tlsFiles', tlsFiles, [{ cert: '/a', key: pem }], 'key: is PEM text; write the path'],
]

describe('a public function that cannot use what it was given', () => {
  it.each(refused)('says what came and what to give: %s (%#)', (name, call, given, what) => {
    const listening = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT')
    const before = listening()
    let failure: unknown
    try {
      ;(call as Loose)(...given)
    } catch (error) {
      failure = error
    }
    expect(failure).toBeInstanceOf(ConfigError)
    expect((failure as ConfigError).message).toMatch(new RegExp(`^${name}(\\(.*\\)| ".*")?: `))
    expect((failure as ConfigError).message).not.toContain('hunter2')
    expect((failure as ConfigError).message).toContain(what)
    expect(listening()).toBe(before)
  })
})
