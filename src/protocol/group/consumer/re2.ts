/** An expression in RE2's words, or why there is none that means the same. */
export type InRe2 = { readonly regex: string } | { readonly reason: string }

interface Rule {
  /** What is read at one place; the first rule that fits counts. */
  readonly reads: RegExp
  /** As `String.replace` takes it. Missing: it means the same in both. */
  readonly becomes?: string
  /** Why it cannot be written for RE2. */
  readonly refused?: string
  readonly leadsTo?: 'class' | 'outside'
}

/** RE2 takes no higher bound of a repetition. */
const mostRepetitions = 1_000

const refusedEscape = { reads: /\\[^]/y, refused: 'an escape that RE2 reads otherwise' }

const anywhere: readonly Rule[] = [
  { reads: /\\[dDwWsStnrfv]/y },
  { reads: /\\x[0-7][0-9A-Fa-f]/y },
  { reads: /\\u00([0-7][0-9A-Fa-f])/y, becomes: String.raw`\x$1` },
  { reads: /\\[^A-Za-z0-9]/y },
]

const outside: readonly Rule[] = [
  ...anywhere,
  { reads: /\\[bB]/y },
  { reads: /\\(?:[1-9]|k)/y, refused: 'a backreference' },
  refusedEscape,
  { reads: /\(\?<?[=!]/y, refused: 'looking ahead or behind' },
  { reads: /\(\?:/y },
  // Nothing refers to its name.
  { reads: /\(\?<[^>]*>/y, becomes: '(?:' },
  { reads: /\(\?/y, refused: 'a group with flags' },
  // An empty one matches nothing in JavaScript, and is not closed yet in RE2.
  { reads: /\[\^?\]/y, refused: 'an empty class' },
  // A hyphen at its beginning is itself.
  { reads: /\[\^?-?/y, leadsTo: 'class' },
  { reads: /[*+?]\??|\{\d+(?:,\d*)?\}\??/y },
  { reads: /[{}\]]/y, becomes: String.raw`\$&` },
  { reads: /[^]/y },
]

const inClass: readonly Rule[] = [
  { reads: /\\[dDwWsS]-(?!\])|-\\[dDwWsS]/y, refused: 'a hyphen beside a class' },
  ...anywhere,
  { reads: /\\b/y, becomes: String.raw`\x08` },
  refusedEscape,
  { reads: /\]/y, leadsTo: 'outside' },
  // It may begin a class of POSIX.
  { reads: /\[/y, becomes: String.raw`\[` },
  { reads: /[^]/y },
]

/**
 * Writes an expression for the brokers, which match whole names of topics by RE2. Names are of ASCII letters, digits, `.`, `_`
 * and `-`, so what tells both apart in other texts (line ends, Unicode, the flags `g`, `m`, `s`, `y`) does not count.
 *
 * | JavaScript                                              | for the brokers                     |
 * |---------------------------------------------------------|-------------------------------------|
 * | characters, classes, groups, alternatives, repetitions, `^` `$` `.` `\b` `\d` `\w` `\s` | as they are |
 * | `(?<name>…)`                                            | `(?:…)`                             |
 * | `\u00hh`; `[` in a class; `{`, `}`, `]` that are characters | `\xhh`; `\[`; escaped           |
 * | flags `i` and `v`; other characters than ASCII          | refused                             |
 * | looking ahead or behind, backreferences, groups with flags | refused                          |
 * | more than 1000 repetitions, `[]`, escapes of other letters or digits | refused                |
 *
 * What is written is an expression of JavaScript too, and means the same there.
 */
export function writtenForRe2({ source, flags }: Pick<RegExp, 'source' | 'flags'>): InRe2 {
  const flag = /[iv]/.exec(flags)?.[0]
  if (flag !== undefined) return { reason: `the flag ${flag}` }
  if (/[^\x00-\x7f]/.test(source)) return { reason: 'characters other than ASCII' }
  let regex = ''
  let rules = outside
  for (let at = 0; at < source.length;) {
    const { text, rule } = readAt(source, at, rules)
    const bound = /^\{(\d+)(?:,(\d*))?\}/.exec(text)
    if (rule.refused !== undefined) return { reason: rule.refused }
    if (bound !== null && [bound[1], bound[2]].some((count) => Number(count ?? 0) > mostRepetitions)) {
      return { reason: `more than ${mostRepetitions} repetitions` }
    }
    regex += rule.becomes === undefined ? text : text.replace(new RegExp(rule.reads.source), rule.becomes)
    if (rule.leadsTo !== undefined) rules = rule.leadsTo === 'class' ? inClass : outside
    at += text.length
  }
  return { regex }
}

function readAt(source: string, at: number, rules: readonly Rule[]): { readonly text: string; readonly rule: Rule } {
  for (const rule of rules) {
    rule.reads.lastIndex = at
    const text = rule.reads.exec(source)?.[0]
    if (text !== undefined) return { text, rule }
  }
  return { text: source.slice(at), rule: refusedEscape }
}

/** To the broker they are ordinary topics, so a pattern that means them would be given their partitions. */
const internalTopics = ['__consumer_offsets', '__transaction_state', '__share_group_state']

/** All patterns as one. Where it would match what the consumer must not read, brokers cannot evaluate it. */
export function patternForBrokers(patterns: readonly RegExp[], except: readonly string[]): InRe2 {
  const parts: string[] = []
  for (const pattern of patterns) {
    const forbidden = [...internalTopics, ...except].find((name) => pattern.test(name))
    if (forbidden !== undefined) return { reason: `it matches "${forbidden}", which this consumer does not read` }
    const written = writtenForRe2(pattern)
    if ('reason' in written) return written
    parts.push(written.regex)
  }
  const [only = ''] = parts
  return { regex: parts.length === 1 ? only : parts.map((part) => `(?:${part})`).join('|') }
}
