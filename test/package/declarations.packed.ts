import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import ts from 'typescript'
import { beforeAll, describe, expect, it } from 'vitest'
import { projectRoot } from '../support/source-tree.js'
import { buildUnlessFresh } from './packed.js'

const dist = join(projectRoot, 'dist')
const mostNamesOfIndex = 145

/** What an editor shows to users: the built declarations of every entry. */
describe('the built declarations', () => {
  let program: ts.Program
  let checker: ts.TypeChecker
  let entries: readonly ts.SourceFile[]
  /** Everything that a user can import by a name, of all entries. */
  let nameable: ReadonlySet<ts.Symbol>

  beforeAll(() => {
    buildUnlessFresh()
    const files = entryFiles()
    program = ts.createProgram(files, {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      types: ['node'],
      typeRoots: [join(projectRoot, 'node_modules/@types')],
      noEmit: true,
    })
    checker = program.getTypeChecker()
    entries = files.map((file) => program.getSourceFile(file) as ts.SourceFile)
    nameable = new Set(entries.flatMap(exportsOf).map(target))
  }, 180_000)

  it('stand alone: a user who checks libraries too sees no error', () => {
    const problems = ts
      .getPreEmitDiagnostics(program)
      .filter(({ file }) => file?.fileName.startsWith(dist))
      .map(
        ({ file, messageText }) =>
          `${basename(file?.fileName ?? '')}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      )
    expect(problems).toEqual([])
  }, 180_000)

  it('hold nothing that is marked as internal', () => {
    const marked = ownFiles().flatMap(({ fileName, text }) =>
      text.split('\n').flatMap((line, at) => (line.includes('@internal') ? [`${basename(fileName)}:${at + 1}`] : [])),
    )
    expect(marked).toEqual([])
  })

  it('name no type that a user cannot name', () => {
    const offenders = new Set<string>()
    for (const symbol of nameable) {
      for (const declaration of symbol.declarations ?? []) {
        if (!isOwn(declaration)) continue
        for (const foreign of referredBy(declaration)) {
          if (!nameable.has(foreign)) offenders.add(`${symbol.name} refers to ${foreign.name}`)
        }
      }
    }
    expect([...offenders].sort()).toEqual([])
  })

  it('show a constructor only of classes that users may construct', () => {
    const constructible = new Set(entries.flatMap(exportsOf).filter(isValue).map(target))
    const offenders = ownFiles().flatMap((file) =>
      file.statements
        .filter(ts.isClassDeclaration)
        .filter((declaration) => declaration.members.some(isOpenConstructor))
        .filter(({ name }) => name !== undefined && !constructible.has(target(symbolOf(name))))
        .map(({ name }) => name?.text),
    )
    expect(offenders).toEqual([])
  })

  it(`export at most ${mostNamesOfIndex} names from the main entry`, () => {
    const names = exportsOf(entries[0] as ts.SourceFile).map(({ name }) => name)
    expect(names.length).toBeGreaterThan(0)
    expect(names.slice(mostNamesOfIndex)).toEqual([])
  })

  const ownFiles = () => program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(dist))
  const isOwn = (node: ts.Node) => node.getSourceFile().fileName.startsWith(dist)
  const symbolOf = (node: ts.Node) => checker.getSymbolAtLocation(node) as ts.Symbol
  const exportsOf = (file: ts.SourceFile) => checker.getExportsOfModule(symbolOf(file))
  const target = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol

  /** Exported as a value, not by `export type`. */
  const isValue = (symbol: ts.Symbol) =>
    !(symbol.declarations ?? []).some((node) => ts.isExportSpecifier(node) && ts.isTypeOnlyExportDeclaration(node))

  /** Types of ours that a declaration refers to anywhere. */
  function referredBy(declaration: ts.Node): ts.Symbol[] {
    const found: ts.Symbol[] = []
    const visit = (node: ts.Node): void => {
      const name = nameOfReference(node)
      const symbol = name === undefined ? undefined : checker.getSymbolAtLocation(name)
      if (symbol !== undefined && isOurType(target(symbol))) found.push(target(symbol))
      ts.forEachChild(node, visit)
    }
    visit(declaration)
    return found
  }

  const isOurType = ({ flags, declarations = [] }: ts.Symbol) =>
    (flags & ts.SymbolFlags.TypeParameter) === 0 && declarations.some((node) => isOwn(node) && isTopLevel(node))
})

function entryFiles(): string[] {
  const { exports } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    exports: Record<string, { import?: { types: string } }>
  }
  return Object.values(exports).flatMap((entry) => (entry.import ? [join(projectRoot, entry.import.types)] : []))
}

function nameOfReference(node: ts.Node): ts.Node | undefined {
  if (ts.isTypeReferenceNode(node)) return node.typeName
  if (ts.isExpressionWithTypeArguments(node)) return node.expression
  if (ts.isTypeQueryNode(node)) return node.exprName
  return undefined
}

/** Of a file: what stands inside another declaration is reached through that one. */
const isTopLevel = (node: ts.Node): boolean =>
  ts.isSourceFile(node.parent) || (ts.isVariableDeclaration(node) && ts.isVariableStatement(node.parent.parent))

const isOpenConstructor = (member: ts.ClassElement): boolean =>
  ts.isConstructorDeclaration(member) &&
  member.parameters.length > 0 &&
  !member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)
