/** Packages that guides name and this project does not install. */
declare module '@aws-sdk/credential-providers' {
  export function fromNodeProviderChain(): () => Promise<{
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }>
}
