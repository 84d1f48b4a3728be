# Indentation, blank lines, trailing blanks and CRLF mean nothing outside an instruction.

   FROM   alpine:3.21   AS   one  

	COPY	a	/a
  # indented
    CMD [ "x" ,  "y" ]

FROM one
  COPY   b   /b
