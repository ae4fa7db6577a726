import ts from 'typescript'
import { root } from './pages.js'

/** A module as it stands in a page; `prelude` is what its reader has before it, in one line. */
export interface Snippet {
  readonly name: string
  readonly prelude: string
  readonly code: string
}

export interface Complaint {
  readonly name: string
  /** Line of the snippet, from 0. */
  readonly line: number
  readonly message: string
}

/** What users import from, the main entry first. */
export const entries: readonly { readonly file: string; readonly module: string }[] = [
  ...['index', 'memory', 'testing', 'driver', 'kafkajs', 'transactions', 'dedupe', 'outbox', 'sql', 'redrive'],
  ...['event-time', 'pattern', 'health', 'lag', 'degrade', 'prometheus', 'opentelemetry', 'capacity', 'admin'],
  ...['registry', 'avro', 'json-schema', 'auth'],
].map((name) => ({ file: `${root}src/${name}.ts`, module: name === 'index' ? 'tidemark' : `tidemark/${name}` }))

const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile) as { config: object }
const settings: ts.CompilerOptions = {
  ...ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root).options,
  // A snippet declares what its reader goes on with, and its prelude imports types and values alike.
  allowImportingTsExtensions: true,
  noUnusedLocals: false,
  noUnusedParameters: false,
  verbatimModuleSyntax: false,
  isolatedModules: false,
}

/** What is no fault of a snippet. */
const allowed: ReadonlySet<number> = new Set([
  // `return` where it leaves out the function around it.
  1108,
  // `group` beside `…`, which stands for whatever else is needed.
  2783,
])

/** What the compiler says of each snippet, each a module of its own. */
export function compile(snippets: readonly Snippet[]): readonly Complaint[] {
  const texts = new Map(snippets.map(({ name, prelude, code }) => [fileOf(name), `${prelude}\n${code}\nexport {}\n`]))
  const host = ts.createCompilerHost(settings)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (file) => texts.has(file) || fileExists(file)
  host.readFile = (file) => texts.get(file) ?? readFile(file)
  host.getSourceFile = (file, version, ...rest) => {
    const text = texts.get(file)
    return text === undefined ? getSourceFile(file, version, ...rest) : ts.createSourceFile(file, text, version)
  }
  const program = ts.createProgram([...texts.keys(), `${root}test/docs/worlds/elsewhere.d.ts`], settings, host)
  return snippets.flatMap(({ name }) => {
    const source = program.getSourceFile(fileOf(name)) as ts.SourceFile
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
      .filter(({ code }) => !allowed.has(code))
      .map(({ start, messageText }) => ({
        name,
        line: source.getLineAndCharacterOfPosition(start ?? 0).line - 1,
        message: ts.flattenDiagnosticMessageText(messageText, ' '),
      }))
  })
}

/** Files of the project, as its compiler sees them. */
export const programOf = (files: readonly string[]) => ts.createProgram(files, settings)

/** The names that each file exports. */
export function exportsOf(files: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const program = programOf(files)
  const checker = program.getTypeChecker()
  return new Map(
    files.map((file) => {
      const symbol = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile)
      return [file, symbol === undefined ? [] : checker.getExportsOfModule(symbol).map(({ name }) => name)]
    }),
  )
}

const fileOf = (name: string) => `${root}test/docs/worlds/${name}.snippet.ts`
