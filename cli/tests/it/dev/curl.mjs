// The options of curl that the README uses, for a machine without curl.

const options = { method: undefined, headers: {}, body: undefined }
let url
const words = process.argv.slice(2)
while (words.length > 0) {
  const word = words.shift()
  if (word === '-X') options.method = words.shift()
  else if (word === '-d') options.body = words.shift()
  else if (word === '-H') {
    const [, name, value] = words.shift().match(/^([^:]+):\s*(.*)$/)
    options.headers[name] = value
  } else if (word.startsWith('-')) throw new Error(`curl.mjs does not know ${word}`)
  else url = word
}
options.method ??= options.body === undefined ? 'GET' : 'POST'
const response = await fetch(url.includes('://') ? url : `http://${url}`, options)
console.log(await response.text())
