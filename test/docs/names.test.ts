import { readdirSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { programOf } from '../../src/cli/program.js'
import { environmentVariables } from '../../src/config/load-config.js'
import { standardLogger } from '../../src/telemetry/standard-logger.js'
import { metricNames } from '../../src/telemetry/metric-names.js'
import { codeBlocks, pages, root, textOf } from './pages.js'

interface Span {
  readonly place: string
  readonly page: string
  readonly text: string
}

const withoutBlocks = (text: string) => text.replaceAll(/^```.*?^```/gms, (block) => block.replaceAll(/[^\n]/g, ''))

/** What stands between backquotes in prose and tables: no compiler reads that. */
const spans: readonly Span[] = pages.flatMap((page) =>
  withoutBlocks(textOf(page))
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(/`([^`]+)`/g)].map(([, text = '']) => ({ page, place: `${page}:${index + 1}`, text })),
    ),
)

const placesOf = (wrong: readonly Span[]) => wrong.map(({ place, text }) => `${place}: ${text}`)

/** Every word of a text that a program could use as a name. */
const wordsOf = (text: string): readonly string[] => text.match(/[A-Za-z_$][\w$]*/g) ?? []

/** Names and texts of the source; what only comments say is none. */
function wordsOfSource(): ReadonlySet<string> {
  const words = new Set<string>()
  const files = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file))
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true)
  for (const file of files) {
    scanner.setText(readFileSync(`${root}src/${file}`, 'utf8'))
    while (scanner.scan() !== ts.SyntaxKind.EndOfFileToken)
      for (const word of wordsOf(scanner.getTokenText())) words.add(word)
  }
  return words
}

/** Of other libraries, in pages about what one does with them. */
const foreign: ReadonlySet<string> = new Set([
  'uncaughtException',
  'getArgs',
  'withSchema',
  'exceptionFactory',
  'afterEach',
])

/** The command that words lead to, and those that belong to none. */
function commandOf(program: Command, words: readonly string[]): Command | undefined {
  let found = program
  for (const word of words) {
    if (found.commands.length === 0) break
    const next = found.commands.find((command) => command.name() === word)
    if (next === undefined) return undefined
    found = next
  }
  return found
}

describe('names in the text of the guides', () => {
  it('are options, methods and fields that the source has', () => {
    const known = wordsOfSource()
    const kafkajs = new Set(wordsOf(readFileSync(`${root}node_modules/kafkajs/types/index.d.ts`, 'utf8')))
    const own = new Map(
      pages.map((page) => [
        page,
        new Set(
          wordsOf(
            textOf(page)
              .match(/^```.*?^```/gms)
              ?.join() ?? '',
          ),
        ),
      ]),
    )
    const isKnown = (word: string, page: string) =>
      known.has(word) || kafkajs.has(word) || foreign.has(word) || own.get(page)?.has(word) === true
    // `deadLetter`, `outage.decideAfterMs`, `healthOf(messaging)`: with a capital inside, so that no English word is meant.
    const named = spans.filter(
      ({ text }) => /^[a-z][\w$]*(\.[\w$]+)*(\(.*\))?(: .*)?$/.test(text) && /[a-z][A-Z]/.test(text),
    )
    const wrong = named.filter(({ text, page }) => {
      const path = /^[\w$.]+/.exec(text)?.[0].split('.') ?? []
      return path.some((word) => /[a-z][A-Z]/.test(word) && !isKnown(word, page))
    })
    expect(placesOf(wrong)).toEqual([])
    expect(named.length).toBeGreaterThan(400)
  })

  it('are variables of the environment that something reads, with values that it takes', () => {
    const readers = ['bench', 'src', 'test', 'examples'].flatMap((folder) =>
      readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts') && !file.includes('node_modules'))
        .map((file) => textOf(`${folder}/${file}`)),
    )
    const isRead = (name: string) => name in environmentVariables || readers.some((text) => text.includes(`'${name}'`))
    const named = spans.flatMap((span) =>
      [...span.text.matchAll(/\b((?:TIDEMARK|KAFKA)_[A-Z_]+)(?:=([\w.-]+))?/g)].map(([, name = '', value]) => ({
        ...span,
        name,
        value,
      })),
    )
    const levels = named.filter(({ name, value }) => name === 'TIDEMARK_LOG' && value !== undefined)
    const refused = levels.filter(({ value }) => {
      try {
        standardLogger(value)
        return false
      } catch {
        return true
      }
    })
    expect(placesOf([...named.filter(({ name }) => !isRead(name)), ...refused])).toEqual([])
    expect(levels.length).toBeGreaterThan(0)
  })

  it('are metrics that there are', () => {
    const named = spans.filter(({ text }) => /^tidemark_\w+$/.test(text))
    // The table of an outbox is called so too.
    const wrong = named.filter(({ text }) => !(text in metricNames) && !text.startsWith('tidemark_outbox_lanes'))
    expect(placesOf(wrong)).toEqual([])
    expect(named.length).toBeGreaterThan(50)
  })

  it('are commands of tidemark with options that they take, and scripts of this project', () => {
    const program = programOf({} as never, {} as never)
    const scripts = Object.keys((JSON.parse(textOf('package.json')) as { scripts: object }).scripts)
    const isWrong = ({ text }: Span): boolean => {
      const script = /\bnpm (?:run )?(?:--silent )?([a-z][\w:]*)/.exec(text)?.[1]
      if (script !== undefined && !['ci', 'install', 'pack', 'publish'].includes(script))
        return !scripts.includes(script)
      const line = /^(?:npx )?tidemark ([a-z].*)$/.exec(text)?.[1]
      if (line === undefined) return false
      const command = commandOf(
        program,
        line.split(' ').filter((word) => /^[a-z]+$/.test(word)),
      )
      const options = line.match(/(?<= )--[\w-]+/g) ?? []
      const taken = [program, command].flatMap((one) => one?.options.map(({ long }) => long) ?? [])
      return command === undefined || options.some((option) => !taken.includes(option))
    }
    const typed = pages.flatMap((page) =>
      codeBlocks(page, 'sh').flatMap(({ code, line }) =>
        code.split('\n').map((text, index): Span => ({ page, place: `${page}:${line + index}`, text })),
      ),
    )
    expect(placesOf([...spans, ...typed].filter(isWrong))).toEqual([])
    expect(typed.length).toBeGreaterThan(4)
  })
})
