import tseslint from 'typescript-eslint'

/** Time and chance enter only through runtime/ and drivers/; everything else gets them as a Runtime, so a simulation can repeat a run. */
const nondeterminism = [
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: 'Use runtime.clock.wallTime() for a timestamp, runtime.clock.now() for a wait.',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'Use runtime.clock.wallTime().',
  },
  {
    selector: "Property[key.name=/[tT]imestamp$/] > CallExpression[callee.property.name='now']",
    message: 'A timestamp is the wall time: use clock.wallTime().',
  },
  { selector: 'CallExpression[callee.name=/^set(Timeout|Interval|Immediate)$/]', message: 'Use runtime.clock.' },
  {
    selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
    message: 'Use runtime.random.',
  },
  { selector: 'CallExpression[callee.name=/^random(UUID|Bytes|Int)$/]', message: 'Use runtime.random.' },
  {
    selector: "CallExpression[callee.object.name='crypto'][callee.property.name=/^random/]",
    message: 'Use runtime.random.',
  },
  { selector: "MemberExpression[object.name='performance'][property.name='now']", message: 'Use runtime.clock.now().' },
]

const listeners = [
  {
    selector: "CallExpression[callee.property.name='addEventListener']",
    message: 'Use onAbort of runtime/on-abort.ts: one listener of a signal for any number of waits.',
  },
]

export default tseslint.config(
  { ignores: ['dist', 'coverage', 'docs/api', 'test/vectors', 'examples/alarm/data'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/runtime/on-abort.ts', 'src/console/page/**'],
    rules: { 'no-restricted-syntax': ['error', ...listeners] },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/runtime/**', 'src/drivers/**', 'src/cli/**', 'src/console/page/**'],
    rules: { 'no-restricted-syntax': ['error', ...nondeterminism, ...listeners] },
  },
  { files: ['*.config.ts'], rules: { 'no-restricted-exports': 'off' } },
)
