import { describe, expect, it } from 'vitest'
import { patternForBrokers, writtenForRe2 } from '../../../../src/protocol/group/consumer/re2.js'

const names = [
  ...[
    'orders',
    'orders.a',
    'orders.a.b',
    'x.orders',
    'orders-1',
    'orders_12',
    'ORDERS.a',
    'a',
    'b',
    'ab',
    'aab',
    'Z',
    '9',
  ],
  ...['_', '-', '.', 'a-', '-a', 'a.b', 'x-y', 'u0061', 'd', 'w', 'alpha', 'abc'],
]

/** Source, flags, and what brokers are told. */
const passedOn: readonly (readonly [string, string, string])[] = [
  [String.raw`^(?:orders\..+)$`, '', String.raw`^(?:orders\..+)$`],
  ['^orders', '', '^orders'],
  ['orders|ab?', '', 'orders|ab?'],
  [String.raw`(a|b)+?\.b`, '', String.raw`(a|b)+?\.b`],
  [String.raw`\w+[-_]\d{1,2}`, '', String.raw`\w+[-_]\d{1,2}`],
  [String.raw`\D\W*\S\s?`, '', String.raw`\D\W*\S\s?`],
  [String.raw`\borders\b.\Ba?`, '', String.raw`\borders\b.\Ba?`],
  ['[^a-z.]+', '', '[^a-z.]+'],
  [String.raw`[-\w]+`, '', String.raw`[-\w]+`],
  [String.raw`[\w-]+`, '', String.raw`[\w-]+`],
  [String.raw`[\w.\-]+`, '', String.raw`[\w.\-]+`],
  ['[--9]+', '', '[--9]+'],
  ['a{2}b', '', 'a{2}b'],
  ['a{0,1000}', '', 'a{0,1000}'],
  [String.raw`x\-y|a\/b`, '', String.raw`x\-y|a\/b`],
  ['.*', 'dgmsuy', '.*'],
  ['', '', ''],
]

const translated: readonly (readonly [string, string, string])[] = [
  ['(?<kind>a|b)+', '', '(?:a|b)+'],
  [String.raw`\u0061b|\x5a`, '', String.raw`\x61b|\x5a`],
  [String.raw`[\u0061-\u0062]+`, 'u', String.raw`[\x61-\x62]+`],
  ['[a[b]+', '', String.raw`[a\[b]+`],
  ['[[:alpha:]]', '', String.raw`[\[:alpha:]\]`],
  [String.raw`[\b]|a`, '', String.raw`[\x08]|a`],
  ['a{,2}|a]|}|b', '', String.raw`a\{,2\}|a\]|\}|b`],
]

const refused: readonly (readonly [string, string, string])[] = [
  [String.raw`ORDERS\..+`, 'i', 'the flag i'],
  ['[a--b]', 'v', 'the flag v'],
  ['ordérs', '', 'characters other than ASCII'],
  ['(?=orders).+', '', 'looking ahead or behind'],
  ['(?!orders).+', '', 'looking ahead or behind'],
  [String.raw`.+(?<=\.a)`, '', 'looking ahead or behind'],
  [String.raw`.+(?<!\.a)`, '', 'looking ahead or behind'],
  [String.raw`(a|b)\1`, '', 'a backreference'],
  [String.raw`(?<one>a)\k<one>`, '', 'a backreference'],
  ['(?i:orders)', '', 'a group with flags'],
  [String.raw`\p{L}+`, 'u', 'an escape that RE2 reads otherwise'],
  [String.raw`\u{61}`, 'u', 'an escape that RE2 reads otherwise'],
  [String.raw`\u00e9`, '', 'an escape that RE2 reads otherwise'],
  [String.raw`\Aorders\z`, '', 'an escape that RE2 reads otherwise'],
  [String.raw`\cA`, '', 'an escape that RE2 reads otherwise'],
  [String.raw`[\0]`, '', 'an escape that RE2 reads otherwise'],
  [String.raw`[\w-a]`, '', 'a hyphen beside a class'],
  [String.raw`[a-\w]`, '', 'a hyphen beside a class'],
  ['a[]|b', '', 'an empty class'],
  ['[^]+', '', 'an empty class'],
  ['a{1001}', '', 'more than 1000 repetitions'],
  ['a{2,1001}?', '', 'more than 1000 repetitions'],
]

/** As brokers match: the whole name. What is written for them reads the same in JavaScript. */
const matchedBy = (source: string, flags = '') => {
  const whole = new RegExp(`^(?:${source})$`, flags.replaceAll(/[gym]/g, ''))
  return names.filter((name) => whole.test(name))
}

describe('a pattern for brokers', () => {
  it.each([...passedOn, ...translated])('/%s/%s is %s, and matches the same names', (source, flags, regex) => {
    expect(writtenForRe2(new RegExp(source, flags))).toEqual({ regex: source === '' ? '(?:)' : regex })
    expect(matchedBy(regex)).toEqual(matchedBy(source, flags))
  })

  it.each(refused)('/%s/%s is none: %s', (source, flags, reason) => {
    expect(writtenForRe2({ source, flags })).toEqual({ reason })
  })

  it('is one of all patterns, and none when it would match what the consumer must not read', () => {
    expect(patternForBrokers([/^(?:a|b)$/], [])).toEqual({ regex: '^(?:a|b)$' })
    expect(patternForBrokers([/^(?:a|b)$/, /^orders\..+$/], ['x'])).toEqual({
      regex: String.raw`(?:^(?:a|b)$)|(?:^orders\..+$)`,
    })
    expect(patternForBrokers([/^a$/, /^(?=a).$/], [])).toEqual({ reason: 'looking ahead or behind' })
    expect(patternForBrokers([/^orders\..+$/], ['orders.dlt'])).toEqual({
      reason: 'it matches "orders.dlt", which this consumer does not read',
    })
    for (const everything of [/^.*$/, /^[^x]+$/, /^__.+$/]) {
      expect(patternForBrokers([everything], [])).toEqual({
        reason: 'it matches "__consumer_offsets", which this consumer does not read',
      })
    }
  })
})
