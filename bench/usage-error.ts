/** What whoever runs a bench can mend: told without a stack. */
export class UsageError extends Error {}
