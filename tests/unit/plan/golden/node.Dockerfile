FROM isol8:node
RUN npm install -g lodash express
