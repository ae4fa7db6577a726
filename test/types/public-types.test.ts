import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const entries = ['index', 'memory', 'testing', 'driver', 'kafkajs'].map((name) => `${root}src/${name}.ts`)

/** Does a value of the type go to the library, or come from it? */
type Way = 'given' | 'got'

const turned: Readonly<Record<Way, Way>> = { given: 'got', got: 'given' }

/** Everything that a user can import. */
function publicProgram() {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile) as { config: object }
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: entries }, ts.sys, root)
  const program = ts.createProgram(entries, options)
  const checker = program.getTypeChecker()
  const exported = entries
    .map((entry) => checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile) as ts.Symbol)
    .flatMap((module) => checker.getExportsOfModule(module))
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
  return { checker, exported }
}

type PublicProgram = ReturnType<typeof publicProgram>

/** Optional fields of all that a user can give: how many, and where those are that refuse `undefined`. */
function refusals({ checker, exported }: PublicProgram): {
  readonly looked: number
  readonly refused: readonly string[]
} {
  const undefinedType = checker.getUndefinedType()
  const seen = { given: new Set<ts.Type>(), got: new Set<ts.Type>() }
  const refused = new Set<string>()
  let looked = 0

  const accepts = (type: ts.Type) =>
    type === undefinedType ||
    (type.flags & (ts.TypeFlags.Unknown | ts.TypeFlags.Any)) !== 0 ||
    (type.isUnion() && type.types.includes(undefinedType))

  function walk(type: ts.Type, way: Way): void {
    if (seen[way].has(type)) return
    seen[way].add(type)
    if (type.isUnionOrIntersection()) for (const part of type.types) walk(part, way)
    for (const argument of checker.getTypeArguments(type as ts.TypeReference)) walk(argument, way)
    const bound = checker.getBaseConstraintOfType(type)
    if (bound !== undefined) walk(bound, way)
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      for (const parameter of signature.parameters) walk(checker.getTypeOfSymbol(parameter), turned[way])
      walk(signature.getReturnType(), way)
    }
    for (const property of type.getProperties()) {
      if (!isPublic(property)) continue
      const inner = checker.getTypeOfSymbol(property)
      if (way === 'given' && (property.flags & ts.SymbolFlags.Optional) !== 0) {
        looked += 1
        if (!accepts(inner)) refused.add(placeOf(property))
      }
      walk(inner, way)
    }
  }

  for (const symbol of exported) {
    if (symbol.flags & ts.SymbolFlags.Value) walk(checker.getTypeOfSymbol(symbol), 'got')
  }
  return { looked, refused: [...refused].sort() }
}

/** A field of ours that a user can see. */
function isPublic(property: ts.Symbol): boolean {
  return (property.declarations ?? []).some(
    (declaration) =>
      declaration.getSourceFile().fileName.startsWith(`${root}src/`) &&
      !(ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private) &&
      !ts.getJSDocTags(declaration).some(({ tagName }) => tagName.text === 'internal') &&
      !ts.isPrivateIdentifier(ts.getNameOfDeclaration(declaration) ?? declaration),
  )
}

function placeOf(property: ts.Symbol): string {
  const declaration = property.declarations?.[0] as ts.Declaration
  const source = declaration.getSourceFile()
  const line = source.getLineAndCharacterOfPosition(declaration.getStart()).line + 1
  return `${source.fileName.slice(root.length)}:${line} ${property.name}`
}

/** Names of types that list names, and do not say that the list may grow. */
function closedUnions({ checker, exported }: PublicProgram): readonly string[] {
  return exported
    .filter((symbol) => symbol.flags & ts.SymbolFlags.TypeAlias)
    .filter((symbol) => {
      const type = checker.getDeclaredTypeOfSymbol(symbol)
      return type.isUnion() && type.types.every((part) => part.isStringLiteral())
    })
    .filter((symbol) => {
      const told = ts.displayPartsToString(symbol.getDocumentationComment(checker))
      return !/more may come/i.test(told)
    })
    .map((symbol) => symbol.name)
}

describe('public types', () => {
  let program: PublicProgram
  beforeAll(() => {
    program = publicProgram()
  }, 60_000)

  it('take undefined for every option that is left out, however strict the compiler of the user', () => {
    const { looked, refused } = refusals(program)
    expect(looked).toBeGreaterThan(100)
    expect(refused).toEqual([])
  }, 60_000)

  it('say of every list of names that it may grow', () => {
    expect(program.exported.length).toBeGreaterThan(150)
    expect(closedUnions(program)).toEqual([])
  })
})
